// Node-RED without its editor: the flow, and the modules that its function nodes use.

const { readFileSync } = require("node:fs");
const { join } = require("node:path");

module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.BENCH_PORT),
  httpAdminRoot: false,
  disableEditor: true,
  credentialSecret: false,
  telemetry: { enabled: false },
  externalModules: { autoInstall: false, palette: { allowInstall: false }, modules: { allowInstall: false } },
  logging: { console: { level: "warn", metrics: false, audit: false } },
  functionGlobalContext: {
    crypto: require("node:crypto"),
    Database: require("better-sqlite3"),
    parsePhone: require("libphonenumber-js").parsePhoneNumberFromString,
    schema: readFileSync(join(__dirname, "schema.sql"), "utf8"),
  },
};
