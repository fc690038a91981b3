//! The demo: the real pipeline over a broker inside the process, fed with
//! invented crimes or with recorded transfers.
//!
//! Nothing here is special to the pipeline: records go in through Kafka in the
//! formats that users have, and what is printed was read from the output
//! topics. The embedded broker is librdkafka's mock cluster; it accepts
//! transactions without their guarantees, so `--kafka` takes a real one.

mod feeder;
mod printer;
mod story;

pub use feeder::Feeder;
pub use printer::Printer;
pub use story::{Story, TOPICS};
