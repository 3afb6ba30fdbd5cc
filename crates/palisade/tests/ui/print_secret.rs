use palisade_core::secret::Secret;

fn main() {
    let key = Secret::new("hunter2");
    println!("{key:?}");
}
