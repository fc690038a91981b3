//! The bodies of the fuzz targets: each takes any bytes, hands them to a part
//! of usdt-flow, and panics if what that part promises does not hold.
//!
//! What always holds: a body is a function of its input alone, so an input that
//! fails once fails always; and it ends soon, since it cuts what is too long.
//! The same bodies serve libFuzzer (`libfuzzer/`, outside the workspace) and
//! the smoke test, which needs nothing but stable Rust.
//!
//! Deliberately absent: files, and chance; mutations are the driver's business.

mod alert;
mod assemble;
mod bytes;
mod cases;
mod decode;
mod engine;
mod image;
pub mod seeds;
mod segment;

pub use alert::alert_record;
pub use assemble::{assemble, assembler_image};
pub use cases::case_file;
pub use decode::decode_record;
pub use engine::engine;
pub use image::engine_image;
pub use segment::segment;

/// One target: a body, and inputs to start from.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, that of its wrapper for libFuzzer too.
    pub name: &'static str,
    /// The body.
    pub run: fn(&[u8]),
    /// Inputs that reach far into the body.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target { name: "decode_record", run: decode_record, seeds: seeds::records },
    Target { name: "assemble", run: assemble, seeds: seeds::feeds },
    Target { name: "assembler_image", run: assembler_image, seeds: seeds::assembler_images },
    Target { name: "case_file", run: case_file, seeds: seeds::case_files },
    Target { name: "segment", run: segment, seeds: seeds::segments },
    Target { name: "alert_record", run: alert_record, seeds: seeds::alerts },
    Target { name: "engine", run: engine, seeds: seeds::stories },
    Target { name: "engine_image", run: engine_image, seeds: seeds::images },
];

/// The target of that name, if there is one.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
