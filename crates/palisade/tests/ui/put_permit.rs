use palisade::stage::Head;
use palisade_core::permit::RequestPermit;

fn put(head: &mut Head, permit: RequestPermit) {
    head.permit = Some(permit);
}

fn main() {}
