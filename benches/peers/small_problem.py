"""The small problem of `solvers/examples/coming_from.rs`, for any library of arrays."""

A = [[1.0, 0.2, -0.3], [0.1, -0.8, 0.5], [0.4, 0.3, 0.9], [-0.2, 0.6, 0.1]]
B = [1.0, -0.5, 0.7, 0.2]
X, Y, V = [-1.0, 0.3, 0.1], [0.5, -0.4, 0.8], [1.0, -2.0, 0.5]
STEP, DEPTH = 0.2, 8


def objectives(exp, array):
    """g and F of arrays x and y, with this exponential and this way to an array."""
    a, b = array(A), array(B)

    def lower(x, y):
        return 0.5 * ((a @ y - b) ** 2).sum() + 0.5 * (exp(x) * y**2).sum()

    def upper(x, y):
        return 0.5 * ((y - 1.0) ** 2).sum() + 0.05 * (x**2).sum()

    return lower, upper
