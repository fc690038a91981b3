//! `usdt-flow replay` as a user runs it: files in, a folder out.

mod bad_input;
mod folder;
mod formats;
mod history;
mod oracle;
mod slice;

#[path = "../shared/slice.rs"]
mod recorded;
#[path = "../shared/folder.rs"]
mod shared_folder;
