//! What is simpler than a program: fewer operations, then smaller shapes, then simpler numbers.

use super::draw::Case;
use super::graph::{Graph, Instruction};
use super::loops::Loop;
use super::shrink::{Simplify, simpler_numbers};

impl Graph {
    /// The value that operand `back` of instruction `k` is: inputs first, then instructions.
    pub fn resolve(&self, k: usize, back: usize) -> usize {
        let values = self.inputs.len() + k;
        values - 1 - back % values
    }

    /// The program without instruction `k`; its users take its first operand instead.
    ///
    /// # Panics
    /// If there is no such instruction.
    #[must_use]
    pub fn without(&self, k: usize) -> Graph {
        let first = self.code[k].operands().first().copied();
        let instead = first.map_or(0, |back| self.resolve(k, back));
        let mut graph = self.clone();
        graph.code.remove(k);
        self.redirect(&mut graph, self.inputs.len() + k, instead);
        graph
    }

    /// The program without its last input; the first one serves instead.
    fn without_last_input(&self) -> Graph {
        let mut graph = self.clone();
        graph.inputs.pop();
        let gone = graph.inputs.len();
        self.redirect(&mut graph, gone, 0);
        graph
    }

    /// Makes the operands in `graph`, which is this one without the value `gone`, what they are
    /// here, with `instead` for that value.
    fn redirect(&self, graph: &mut Graph, gone: usize, instead: usize) {
        for j in 0..graph.code.len() {
            let values = graph.inputs.len() + j;
            let before = if values < gone { values } else { values + 1 };
            let k = before - self.inputs.len();
            for back in graph.code[j].operands_mut() {
                let value = match self.resolve(k, *back) {
                    value if value == gone => instead,
                    value if value > gone => value - 1,
                    value => value,
                };
                *back = values - 1 - value;
            }
        }
    }

    fn fewer_operations(&self) -> Vec<Graph> {
        let n = self.code.len();
        let mut graphs = Vec::new();
        for keep in [n / 4, n / 2, 3 * n / 4] {
            if keep < n {
                let code = self.code[..keep].to_vec();
                graphs.push(Graph {
                    code,
                    ..self.clone()
                });
            }
        }
        graphs.extend((0..n).rev().map(|k| self.without(k)));
        for k in 0..n {
            graphs.extend(
                fewer_operands(&self.code[k])
                    .into_iter()
                    .map(|i| self.with(k, i)),
            );
        }
        graphs
    }

    fn smaller_shapes(&self) -> Vec<Graph> {
        let mut graphs = Vec::new();
        if self.inputs.len() > 1 {
            graphs.push(self.without_last_input());
        }
        for (k, (rows, cols)) in self.inputs.iter().copied().enumerate() {
            let smaller = [(1, 1), (rows, 1), (rows - 1, cols), (rows, cols - 1)];
            for shape in smaller {
                let fits = shape.0 > 0 && shape.1 > 0 && shape != (rows, cols);
                if fits && shape.0 * shape.1 < rows * cols {
                    let mut graph = self.clone();
                    graph.inputs[k] = shape;
                    graphs.push(graph);
                }
            }
        }
        for k in 0..self.code.len() {
            let smaller = smaller_instruction(&self.code[k]);
            graphs.extend(smaller.into_iter().map(|i| self.with(k, i)));
        }
        graphs
    }

    fn simpler_numbers(&self) -> Vec<Graph> {
        let mut graphs = Vec::new();
        for k in 0..self.code.len() {
            if let Instruction::Unary {
                parameter,
                negative,
                ..
            } = self.code[k]
            {
                for p in simpler_numbers(&[parameter])
                    .into_iter()
                    .filter(|p| p[0] >= 0.5)
                {
                    let mut graph = self.clone();
                    if let Instruction::Unary { parameter, .. } = &mut graph.code[k] {
                        *parameter = p[0];
                    }
                    graphs.push(graph);
                }
                if negative {
                    let mut graph = self.clone();
                    if let Instruction::Unary { negative, .. } = &mut graph.code[k] {
                        *negative = false;
                    }
                    graphs.push(graph);
                }
            }
        }
        let pools = simpler_numbers(&self.pool).into_iter();
        graphs.extend(pools.map(|pool| Graph {
            pool,
            ..self.clone()
        }));
        graphs
    }

    fn with(&self, k: usize, instruction: Instruction) -> Graph {
        let mut graph = self.clone();
        graph.code[k] = instruction;
        graph
    }
}

fn fewer_operands(instruction: &Instruction) -> Vec<Instruction> {
    let shorter = |of: &[usize]| {
        let without = |k: usize| [&of[..k], &of[k + 1..]].concat();
        let count = if of.len() > 1 { of.len() } else { 0 };
        (0..count).map(without).collect::<Vec<_>>()
    };
    match instruction {
        Instruction::Concat { of } => {
            let lists = shorter(of).into_iter();
            lists.map(|of| Instruction::Concat { of }).collect()
        }
        Instruction::Fused { of } => {
            let lists = shorter(of).into_iter();
            lists.map(|of| Instruction::Fused { of }).collect()
        }
        _ => vec![],
    }
}

/// The instruction with one of its sizes smaller.
fn smaller_instruction(instruction: &Instruction) -> Vec<Instruction> {
    use Instruction as I;
    let sizes = |rows: usize, cols: usize| {
        let candidates = [(1, 1), (rows - 1, cols), (rows, cols - 1)];
        let smaller = move |s: &(usize, usize)| s.0 > 0 && s.1 > 0 && s.0 * s.1 < rows * cols;
        candidates.into_iter().filter(smaller)
    };
    match *instruction {
        I::Loss {
            row,
            of,
            weights,
            samples,
            from,
        } if samples > 1 => [1, samples - 1]
            .map(|samples| I::Loss {
                row,
                of,
                weights,
                samples,
                from,
            })
            .to_vec(),
        I::Algebra {
            kind,
            of,
            with,
            count,
        } if count > 0 => vec![I::Algebra {
            kind,
            of,
            with,
            count: 0,
        }],
        I::Slice { of, start, len } => {
            let starts = (start > 0).then_some(I::Slice { of, start: 0, len });
            let lens = (len > 0).then_some(I::Slice {
                of,
                start,
                len: len / 2,
            });
            lens.into_iter().chain(starts).collect()
        }
        I::Gather { of, ref positions } if positions.len() > 1 => {
            let positions = positions[..positions.len() - 1].to_vec();
            vec![I::Gather { of, positions }]
        }
        I::Broadcast { of, rows, cols } => sizes(rows, cols)
            .map(|(rows, cols)| I::Broadcast { of, rows, cols })
            .collect(),
        I::Constant { rows, cols, from } => sizes(rows, cols)
            .map(|(rows, cols)| I::Constant { rows, cols, from })
            .collect(),
        _ => vec![],
    }
}

impl Simplify for Graph {
    fn simpler(&self) -> Vec<Self> {
        let mut graphs = self.fewer_operations();
        graphs.extend(self.smaller_shapes());
        graphs.extend(self.simpler_numbers());
        graphs
    }
}

impl Simplify for Case {
    fn simpler(&self) -> Vec<Self> {
        let graphs = self.graph.simpler().into_iter();
        let mut cases: Vec<Case> = graphs
            .map(|graph| Case {
                graph,
                ..self.clone()
            })
            .collect();
        for which in 0..self.numbers.len() {
            for numbers in simpler_numbers(&self.numbers[which]) {
                let mut case = self.clone();
                case.numbers[which] = numbers;
                cases.push(case);
            }
        }
        cases
    }
}

impl Simplify for Loop {
    fn simpler(&self) -> Vec<Self> {
        let mut loops = Vec::new();
        for depth in [self.depth / 2, self.depth.saturating_sub(1)] {
            if depth < self.depth {
                loops.push(Loop {
                    depth,
                    ..self.clone()
                });
            }
        }
        let cases = self.case.simpler().into_iter();
        loops.extend(cases.map(|case| Loop {
            case,
            ..self.clone()
        }));
        loops
    }
}
