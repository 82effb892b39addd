//! SQL.

// The statements that call functions are bound elsewhere.
#[allow(dead_code)]
mod functions;
