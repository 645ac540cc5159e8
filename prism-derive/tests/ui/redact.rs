use prism_derive::Redact;

#[derive(Redact)]
struct Plain {
    id: String,
}

#[derive(Redact)]
struct Unit;

fn main() {
    let _ = format!("{:?}", Unit);
}
