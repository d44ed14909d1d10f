// Everything of nn::, without the formats of nn/io/ and the hand-derived nn/manual/.
#pragma once

#include "nn/adaptive_optimizers.hpp"
#include "nn/cell.hpp"
#include "nn/cells.hpp"
#include "nn/clip.hpp"
#include "nn/data_parallel.hpp"
#include "nn/dropout.hpp"
#include "nn/embedding.hpp"
#include "nn/initialize.hpp"
#include "nn/linear.hpp"
#include "nn/loss.hpp"
#include "nn/lstm.hpp"
#include "nn/module.hpp"
#include "nn/moving_average.hpp"
#include "nn/optimizer.hpp"
#include "nn/recurrent.hpp"
#include "nn/schedule.hpp"
