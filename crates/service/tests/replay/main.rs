//! `usdt-flow replay` as a user runs it: files in, a folder out.

mod bad_input;
mod folder;
mod formats;
mod history;
mod oracle;
mod slice;
