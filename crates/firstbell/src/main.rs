//! firstbell: arguments in, exit code out.

fn main() -> std::process::ExitCode {
    firstbell::cli::main()
}
