//! Values, rows, keys, patterns, predicates and schemas, from outside.

mod keys;
mod patterns;
mod predicates;
mod rows;
mod schemas;
mod strategies;
mod values;
