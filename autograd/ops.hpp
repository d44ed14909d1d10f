// All ops.
#pragma once

#include "autograd/ops/activations.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/arrangement.hpp"
#include "autograd/ops/cumulative.hpp"
#include "autograd/ops/einsum.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/ops/indexing.hpp"
#include "autograd/ops/linear_algebra.hpp"
#include "autograd/ops/loss.hpp"
#include "autograd/ops/normalization.hpp"
#include "autograd/ops/random.hpp"
#include "autograd/ops/reduction.hpp"
#include "autograd/ops/selection.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/ops/softmax.hpp"
#include "autograd/ops/trigonometric.hpp"
