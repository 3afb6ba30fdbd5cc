use palisade_core::permit::RequestPermit;

fn copied<T: Clone>(original: &T) -> T {
    original.clone()
}

fn twice(permit: RequestPermit) -> (RequestPermit, RequestPermit) {
    (copied::<RequestPermit>(&permit), permit)
}

fn main() {}
