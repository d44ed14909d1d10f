#include "libtorch_lstm.hpp"

#ifdef WENGERT_WITH_TORCH

#include <torch/torch.h>
#include <torch/version.h>

#include <memory>

namespace benchmark {

std::string libtorch_version() { return std::string("libtorch ") + TORCH_VERSION; }

std::function<void()> libtorch_step(const LstmSizes& sizes, bool use_double) {
  torch::set_num_threads(1);
  const auto type = use_double ? torch::kDouble : torch::kFloat;
  auto lstm = std::make_shared<torch::nn::LSTM>(torch::nn::LSTMOptions(sizes.I, sizes.H).num_layers(sizes.layers));
  (*lstm)->to(type);
  (*lstm)->flatten_parameters();
  const auto options = torch::TensorOptions().dtype(type);
  const torch::Tensor x = torch::randn({sizes.T, sizes.B, sizes.I}, options);
  const torch::Tensor target = torch::randn({sizes.T, sizes.B, sizes.H}, options);
  return [lstm, x, target] {
    (*lstm)->zero_grad();
    const auto output = std::get<0>((*lstm)->forward(x));
    torch::mse_loss(output, target).backward();
  };
}

}  // namespace benchmark

#else

namespace benchmark {

std::string libtorch_version() { return "libtorch was not found when this was built (Debian: libtorch-dev)"; }
std::function<void()> libtorch_step(const LstmSizes&, bool) { return {}; }

}  // namespace benchmark

#endif
