"""HubSpot's own check of a change notice: true or false, as one word.

In: `signature`, `timestamp`, `url` as arguments, the body at standard input, the secret as HUBSPOT_SECRET.
"""

import os
import sys

from hubspot.utils.signature import Signature

signature, timestamp, url = sys.argv[1:]
valid = Signature.is_valid(
    signature=signature,
    client_secret=os.environ["HUBSPOT_SECRET"],
    request_body=sys.stdin.read(),
    http_uri=url,
    http_method="POST",
    signature_version="v3",
    timestamp=timestamp,
)
print("true" if valid else "false")
