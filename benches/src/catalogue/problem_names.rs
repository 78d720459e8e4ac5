//! The names of the problems.

use super::Entry;

/// Every problem.
pub const ALL: &[Entry] = &[
    Entry {
        name: "logistic",
        about: "logistic regression, one penalty per feature; digits odd/even, or --data",
    },
    Entry {
        name: "softmax",
        about: "multinomial logistic regression, one penalty per feature; digits, or --data",
    },
    Entry {
        name: "hyper-cleaning",
        about: "weights of mislabelled samples, linear softmax; digits, 70 % mislabelled, or --data",
    },
    Entry {
        name: "mlp",
        about: "weight decay of a 64-32-10 network for each layer; digits, or --data",
    },
    Entry {
        name: "mlp-cleaning",
        about: "hyper-cleaning with the network in place of the linear model",
    },
    Entry {
        name: "learning-rates",
        about: "rates of the network's training, by stage and layer: x is in the steps, so itd alone",
    },
    Entry {
        name: "few-shot",
        about: "a representation that 5-way 1-shot tasks share, ridge heads; digits; --large",
    },
    Entry {
        name: "bda-counterexample",
        about: "closed form 1: the lower level has many solutions; x* = 1, plain unrolling goes to 1/2",
    },
    Entry {
        name: "bda-discriminating",
        about: "closed form 2: each way of aggregating ends elsewhere; x* = 1/2",
    },
    Entry {
        name: "penalty-bias",
        about: "closed form 3: a penalty α ends at α/(1+2α) instead of 1/2",
    },
    Entry {
        name: "scalar",
        about: "closed form 4: one-dimensional, the errors of ITD and AID are known",
    },
    Entry {
        name: "quadratic",
        about: "closed form 5: a random quadratic problem, x of 5 and y of 8 entries",
    },
    Entry {
        name: "ridge",
        about: "closed form 6: ridge regression, one penalty per feature; random samples",
    },
    Entry {
        name: "least-squares",
        about: "closed form 7: least squares on both levels, x of 3 and y of 5 entries",
    },
    Entry {
        name: "random-quadratics",
        about: "closed form 8: means over 1000 quadratics of rank one, x of 10 and y of 20 entries",
    },
    Entry {
        name: "shifted-sines",
        about: "closed form 10: a lower level that is not convex; x* = pi - 2/3 on its branch",
    },
    Entry {
        name: "sine-product",
        about: "closed form 10: the same with a kink at x* = 11 pi/4; --inner projected-box:-2:2",
    },
    Entry {
        name: "tv-denoising",
        about: "weight and smoothing of total variation, images with noise; six small ones, or --data",
    },
    Entry {
        name: "tv-deblurring",
        about: "the same for blurred images: four to train on, two kept apart",
    },
    Entry {
        name: "foe-denoising",
        about: "a Field of Experts: 3 filters of 5 x 5, --large 10 of 7 x 7; four images and two",
    },
    Entry {
        name: "icnn-denoising",
        about: "an input-convex network: 4 filters and 2 units, --large 32 and 16; the same images",
    },
    Entry {
        name: "ridge-prior",
        about: "small toy of `stability`: the point that ridge regression tends to; random samples",
    },
    Entry {
        name: "orthogonal-map",
        about: "the published toy of `stability`: a near-orthogonal 10 x 10 map; random samples",
    },
];
