// The optimizers and schedules that the reference vectors name.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "conformance/conformance.hpp"
#include "nn/train/adaptive_optimizers.hpp"
#include "nn/train/optimizer.hpp"
#include "nn/train/schedule.hpp"

namespace conformance {

/// The optimizer called `kind`, for groups of parameters with the arguments that PyTorch knows them by.
/// Throws Unknown for an optimizer or an argument that is not known here.
template <class T>
std::unique_ptr<nn::Optimizer<T>> make_optimizer(const std::string& kind,
                                                 const std::vector<std::vector<nn::Parameter<T>*>>& groups,
                                                 const std::vector<nlohmann::json>& arguments);

/// The schedule called `kind`, applied to the rates and kept.
struct AnySchedule {
  std::optional<nn::Scheduler> by_step;
  std::optional<nn::ReduceLROnPlateau> by_metric;
};
void start_schedule(AnySchedule& to, nn::Rates& rates, const std::string& kind, const nlohmann::json& arguments);

}  // namespace conformance
