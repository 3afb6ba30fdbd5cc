use palisade_core::permit::{Action, Permit, Resource};
use palisade_core::principal::Principal;

struct Read;
impl Action for Read {
    const NAME: &'static str = "read";
}

struct Invoice;
impl Resource for Invoice {
    const KIND: &'static str = "invoice";
    type Id = u64;
}

fn main() {
    let _: Permit<Read, Invoice> = Permit { principal: Principal::anonymous(), id: 7, seal: std::marker::PhantomData };
}
