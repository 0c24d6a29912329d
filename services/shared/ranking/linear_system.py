"""Exact solution of a small linear system in whole numbers, without ever leaving them."""

from collections.abc import Sequence
from fractions import Fraction


def solve(matrix: Sequence[Sequence[int]], right_sides: Sequence[Sequence[int]]) -> list[list[Fraction]]:
    """Solve `matrix · x = b` for each b of `right_sides`; returns one x for each.

    Fraction-free elimination (Bareiss, Mathematics of Computation 22, 1968): every intermediate is a minor of the
    matrix, so the digits grow only linearly. The matrix must be regular; ZeroDivisionError if it is not.
    """
    size = len(matrix)
    rows = [[*matrix[i], *(side[i] for side in right_sides)] for i in range(size)]
    previous = 1
    for column in range(size):
        _bring_pivot_up(rows, column)
        pivot_row = rows[column]
        pivot = pivot_row[column]
        for i in range(column + 1, size):
            row, factor = rows[i], rows[i][column]
            rows[i] = [0] * (column + 1) + [
                (pivot * row[j] - factor * pivot_row[j]) // previous for j in range(column + 1, len(row))
            ]
        previous = pivot
    return [_substitute_back(rows, size, size + side) for side in range(len(right_sides))]


def _bring_pivot_up(rows: list[list[int]], column: int) -> None:
    for i in range(column, len(rows)):
        if rows[i][column]:
            rows[column], rows[i] = rows[i], rows[column]
            return
    raise ZeroDivisionError("the matrix is singular")


def _substitute_back(rows: Sequence[Sequence[int]], size: int, side: int) -> list[Fraction]:
    # Over the determinant (the last pivot) every unknown is a whole number: Cramer's rule.
    determinant = rows[size - 1][size - 1] if size else 1
    units = [0] * size
    for i in reversed(range(size)):
        known = sum(rows[i][j] * units[j] for j in range(i + 1, size))
        units[i] = (determinant * rows[i][side] - known) // rows[i][i]
    return [Fraction(unit, determinant) for unit in units]
