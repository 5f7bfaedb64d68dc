//! scratch.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used)]
fn main() {
    let a: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let mut lines = Vec::new();
    let r = firstbell_core::days::tell(a[0], a[1] as u32, &mut |l| lines.push(l));
    for l in lines.iter().rev().take(60).rev() {
        println!("{l}");
    }
    println!("{r:?}");
}
