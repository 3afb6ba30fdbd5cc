use palisade::chain::Permitted;

fn forged(request: http::Request<()>) -> Permitted<http::Request<()>> {
    Permitted { permit: (), request, until: None }
}

fn main() {}
