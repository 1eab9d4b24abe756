//! Start, workers, stop.
