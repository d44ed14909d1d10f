// All ops.
#pragma once

#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/indexing.hpp"
#include "autograd/ops/linear_algebra.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/random.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"
