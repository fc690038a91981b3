//! The `usdt-flow` command: follows USDT from flagged wallets through Kafka.

use std::process::ExitCode;

fn main() -> ExitCode {
    usdt_flow::main()
}
