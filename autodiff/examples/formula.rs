//! A formula that is read when the program runs: each of its words is a step of a recording.
//!
//! `cargo run -p bilevel-autodiff --example formula -- 'x exp y square * sum'`

use autodiff::rules::elementwise::{Binary, Unary};
use autodiff::{Builder, Shape, Value};

fn main() -> Result<(), String> {
    let given = std::env::args().nth(1);
    let formula = given.as_deref().unwrap_or("x exp y square * sum");
    let (builder, inputs) = Builder::<f64>::new(&[Shape::vector(2), Shape::vector(2)]);
    let mut stack: Vec<Value> = Vec::new();
    for word in formula.split_whitespace() {
        let mut pop = || {
            stack
                .pop()
                .ok_or_else(|| format!("{word}: expected an operand before it"))
        };
        let unary = Unary::ALL
            .iter()
            .find(|f| f.name() == word && !f.takes_parameter());
        let binary = ["+", "-", "*", "/"].iter().position(|sign| *sign == word);
        let value = match (word, unary, binary) {
            ("x", ..) => inputs[0],
            ("y", ..) => inputs[1],
            ("sum", ..) => builder.extend(&[pop()?], |v| v[0].sum()),
            (_, Some(f), _) => builder.extend(&[pop()?], |v| v[0].elementwise(*f, 0.0)),
            (_, _, Some(sign)) => {
                let f = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div][sign];
                let (b, a) = (pop()?, pop()?);
                builder.extend(&[a, b], |v| v[0].elementwise_with(f, v[1]))
            }
            _ => {
                return Err(format!(
                    "{word}: expected x, y, sum, +, -, *, / or a function"
                ));
            }
        };
        stack.push(value);
    }
    let [output] = stack[..] else {
        return Err(format!("{} values are left: expected one", stack.len()));
    };
    let program = builder.finish(output);
    let mut point = program.point();
    let value = point.linearise(&[&[0.0, 1.0], &[1.0, 2.0]]);
    println!("{formula} at x = (0, 1), y = (1, 2): {value:.6}");
    println!("by x: {:.6?}", point.gradient(0));
    println!("by y: {:.6?}", point.gradient(1));
    Ok(())
}
