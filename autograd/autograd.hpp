// Everything of autograd::.
#pragma once

#include "autograd/anomaly.hpp"
#include "autograd/apply.hpp"
#include "autograd/checkpoint.hpp"
#include "autograd/derivatives.hpp"
#include "autograd/gradient.hpp"
#include "autograd/gradient_check.hpp"
#include "autograd/ops.hpp"
#include "autograd/pointwise.hpp"
#include "autograd/repeat.hpp"
#include "autograd/tape.hpp"
