#include "libtorch_elementwise.hpp"

#ifdef WENGERT_WITH_TORCH

#include <torch/torch.h>

#include <map>

namespace benchmark {

template <class T>
std::optional<Contestant> libtorch_elementwise(const std::string& function, const std::vector<T>& x) {
  using Function = at::Tensor& (*)(at::Tensor&, const at::Tensor&);
  static const std::map<std::string, Function> functions{{"exp", at::exp_out},   {"expm1", at::expm1_out},
                                                         {"log", at::log_out},   {"log1p", at::log1p_out},
                                                         {"tanh", at::tanh_out}, {"sigmoid", at::sigmoid_out}};
  torch::set_num_threads(1);
  const auto type = std::is_same_v<T, double> ? torch::kDouble : torch::kFloat;
  const at::Tensor in =
      torch::from_blob(const_cast<T*>(x.data()), {std::int64_t(x.size())}, torch::TensorOptions().dtype(type)).clone();
  return Contestant{.engine = "libtorch",
                    .name = function,
                    .work =
                        [in, out = torch::empty_like(in), f = functions.at(function)]() mutable {
                          const torch::InferenceMode inference;
                          f(out, in);
                        },
                    .results = [in, f = functions.at(function)]() -> std::vector<double> {
                      at::Tensor out = torch::empty_like(in);
                      f(out, in);
                      return {out[0].item().toDouble(), out[-1].item().toDouble()};
                    }};
}

#else

namespace benchmark {

template <class T>
std::optional<Contestant> libtorch_elementwise(const std::string&, const std::vector<T>&) {
  return std::nullopt;
}

#endif

template std::optional<Contestant> libtorch_elementwise(const std::string&, const std::vector<float>&);
template std::optional<Contestant> libtorch_elementwise(const std::string&, const std::vector<double>&);

}  // namespace benchmark
