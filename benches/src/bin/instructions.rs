//! Counts the instructions of the hot paths and compares them with the stored counts. See `--help`.

#[global_allocator]
static ALLOCATOR: penstock_benches::alloc::Counting = penstock_benches::alloc::Counting;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    penstock_benches::instructions::main(&arguments)
}
