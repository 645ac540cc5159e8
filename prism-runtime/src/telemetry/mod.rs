//! Logs and metrics, and the one place that decides what may be shown.
