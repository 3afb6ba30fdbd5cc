use palisade_core::id::PolicyVersion;
use palisade_core::permit::RequestPermit;
use palisade_core::principal::Principal;

fn main() {
    let _ = RequestPermit {
        principal: Principal::anonymous(),
        obligations: Default::default(),
        policy: PolicyVersion::new("mine"),
    };
}
