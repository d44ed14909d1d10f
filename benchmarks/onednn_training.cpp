#include "onednn_training.hpp"

#ifdef WENGERT_WITH_ONEDNN

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <dnnl.hpp>
#include <memory>
#include <unordered_map>

namespace benchmark {

namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;
using Tag = memory::format_tag;

memory::desc floats(const memory::dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }

float* data(const memory& m) { return static_cast<float*>(m.get_data_handle()); }

void copy(const std::vector<float>& from, const memory& to) { std::copy(from.begin(), from.end(), data(to)); }

/// One layer. Its states start from zeros that are given: without them the gradient of the recurrent weights of version
/// 2.6.3 is wrong.
class Layer {
 public:
  Layer(const dnnl::engine& engine, const dnnl::stream& stream, const Problem<float>& problem, std::size_t k,
        const memory& x)
      : stream_(stream) {
    const Sizes& s = problem.sizes;
    const memory::dim T = s.T, B = s.B, I = s.input_of(k), H = s.H;
    const auto state = floats({1, 1, B, H}, Tag::ldnc);
    const memory::desc none;
    const auto any_ih = floats({1, 1, I, 4, H}, Tag::any), any_hh = floats({1, 1, H, 4, H}, Tag::any);
    const auto bias = floats({1, 1, 4, H}, Tag::ldgo), input = floats({T, B, I}, Tag::tnc);
    const auto output = floats({T, B, H}, Tag::tnc);
    const auto direction = dnnl::rnn_direction::unidirectional_left2right;
    const dnnl::lstm_forward::primitive_desc forward(
        {dnnl::prop_kind::forward_training, direction, input, state, state, any_ih, any_hh, bias, output, none, none},
        engine);
    const dnnl::lstm_backward::primitive_desc backward({dnnl::prop_kind::backward,
                                                        direction,
                                                        input,
                                                        state,
                                                        state,
                                                        any_ih,
                                                        any_hh,
                                                        bias,
                                                        output,
                                                        none,
                                                        none,
                                                        input,
                                                        state,
                                                        state,
                                                        any_ih,
                                                        any_hh,
                                                        bias,
                                                        output,
                                                        none,
                                                        none},
                                                       engine, forward);
    forward_ = dnnl::lstm_forward(forward);
    backward_ = dnnl::lstm_backward(backward);

    const memory weight_ih(floats({1, 1, I, 4, H}, Tag::ldgoi), engine);
    const memory weight_hh(floats({1, 1, H, 4, H}, Tag::ldgoi), engine);
    const memory h(state, engine), c(state, engine);
    for (const memory& zeros : {h, c}) std::fill_n(data(zeros), B * H, 0.0f);
    const memory b(bias, engine), workspace(forward.workspace_desc(), engine);
    copy(problem.layers[k].weight_ih, weight_ih);
    copy(problem.layers[k].weight_hh, weight_hh);
    copy(problem.layers[k].bias, b);
    y = memory(output, engine);
    diff_x = memory(input, engine);
    diff_y = memory(output, engine);
    diff_weight_ih = memory(backward.diff_weights_layer_desc(), engine);
    diff_weight_hh = memory(backward.diff_weights_iter_desc(), engine);
    diff_bias_ = memory(bias, engine);
    const auto reordered = [&](const memory& from, const memory::desc& to) {
      if (from.get_desc() == to) return from;
      const memory result(to, engine);
      reorders_.push_back({dnnl::reorder(from, result), from, result});
      return result;
    };
    forward_arguments_ = {{DNNL_ARG_SRC_LAYER, x},
                          {DNNL_ARG_SRC_ITER, h},
                          {DNNL_ARG_SRC_ITER_C, c},
                          {DNNL_ARG_WEIGHTS_LAYER, reordered(weight_ih, forward.weights_layer_desc())},
                          {DNNL_ARG_WEIGHTS_ITER, reordered(weight_hh, forward.weights_iter_desc())},
                          {DNNL_ARG_BIAS, b},
                          {DNNL_ARG_DST_LAYER, y},
                          {DNNL_ARG_WORKSPACE, workspace}};
    backward_arguments_ = forward_arguments_;
    backward_arguments_[DNNL_ARG_WEIGHTS_LAYER] = reordered(weight_ih, backward.weights_layer_desc());
    backward_arguments_[DNNL_ARG_WEIGHTS_ITER] = reordered(weight_hh, backward.weights_iter_desc());
    backward_arguments_[DNNL_ARG_DIFF_SRC_LAYER] = diff_x;
    backward_arguments_[DNNL_ARG_DIFF_SRC_ITER] = memory(state, engine);
    backward_arguments_[DNNL_ARG_DIFF_SRC_ITER_C] = memory(state, engine);
    backward_arguments_[DNNL_ARG_DIFF_WEIGHTS_LAYER] = diff_weight_ih;
    backward_arguments_[DNNL_ARG_DIFF_WEIGHTS_ITER] = diff_weight_hh;
    backward_arguments_[DNNL_ARG_DIFF_BIAS] = diff_bias_;
    backward_arguments_[DNNL_ARG_DIFF_DST_LAYER] = diff_y;
  }

  void forward() {
    for (Reorder& reorder : reorders_) reorder.primitive.execute(stream_, reorder.from, reorder.to);
    forward_.execute(stream_, forward_arguments_);
  }

  /// From diff_y to diff_x; adds to the gradients of the parameters, which start from zeros.
  void backward() {
    for (const memory& gradient : {diff_weight_ih, diff_weight_hh, diff_bias_})
      std::memset(gradient.get_data_handle(), 0, gradient.get_desc().get_size());
    backward_.execute(stream_, backward_arguments_);
  }

  /// This layer reads the output of `below`, whose gradient it gives.
  void connect(Layer& below) { below.backward_arguments_[DNNL_ARG_DIFF_DST_LAYER] = below.diff_y = diff_x; }

  memory y, diff_x, diff_y, diff_weight_ih, diff_weight_hh;

 private:
  struct Reorder {
    dnnl::reorder primitive;
    memory from, to;
  };

  dnnl::stream stream_;
  dnnl::lstm_forward forward_;
  dnnl::lstm_backward backward_;
  std::vector<Reorder> reorders_;
  Arguments forward_arguments_, backward_arguments_;
  memory diff_bias_;
};

struct Training {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::vector<Layer> layers;
  std::vector<float> target;
  double loss = 0;

  explicit Training(const Problem<float>& problem) : target(problem.target) {
    const Sizes& s = problem.sizes;
    memory x(floats({s.T, s.B, s.I}, Tag::tnc), engine);
    copy(problem.x, x);
    for (std::size_t k = 0; k < problem.layers.size(); ++k) {
      layers.emplace_back(engine, stream, problem, k, x);
      if (k > 0) layers[k].connect(layers[k - 1]);
      x = layers[k].y;
    }
  }

  void step() {
    for (Layer& layer : layers) layer.forward();
    stream.wait();
    const float* const y = data(layers.back().y);
    float* const diff_y = data(layers.back().diff_y);
    const float scale = 2 / static_cast<float>(target.size());
    float sums[16] = {};  // side by side, so that the loop is vectorised
    for (std::size_t at = 0; at < target.size(); at += 16)
      for (std::size_t k = 0; k < std::min<std::size_t>(16, target.size() - at); ++k) {
        const float difference = y[at + k] - target[at + k];
        sums[k] += difference * difference;
        diff_y[at + k] = scale * difference;
      }
    loss = 0;
    for (const float sum : sums) loss += sum;
    loss /= static_cast<double>(target.size());
    for (std::size_t k = layers.size(); k-- > 0;) layers[k].backward();
    stream.wait();
  }

  std::vector<double> results() const {
    double squares = 0;
    for (const Layer& layer : layers)
      for (const memory& gradient : {layer.diff_weight_ih, layer.diff_weight_hh})
        for (std::size_t k = 0; k < gradient.get_desc().get_size() / sizeof(float); ++k)
          squares += double(data(gradient)[k]) * double(data(gradient)[k]);
    return {loss, std::sqrt(squares)};
  }
};

const char* instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "SSE4.1";
    case dnnl::cpu_isa::avx:
      return "AVX";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2 with VNNI";
    default:
      return "AVX-512";
  }
}

}  // namespace

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}, {}", version->major, version->minor, version->patch, instruction_set());
}

template <class T>
std::optional<Contestant> onednn_lstm(const Problem<T>& problem, int threads) {
  if constexpr (std::is_same_v<T, float>) {
    use_threads(threads);  // a primitive is made for as many
    auto training = std::make_shared<Training>(problem);
    return Contestant{.engine = "onednn",
                      .name = "stock",
                      .work = [training] { training->step(); },
                      .threads = threads,
                      .results = [training] { return training->results(); }};
  } else {
    return std::nullopt;
  }
}

#else

namespace benchmark {

std::string onednn_version() { return "oneDNN 2 was not found when this was built (Debian: libdnnl-dev)"; }

template <class T>
std::optional<Contestant> onednn_lstm(const Problem<T>&, int) {
  return std::nullopt;
}

#endif

template std::optional<Contestant> onednn_lstm(const Problem<float>&, int);
template std::optional<Contestant> onednn_lstm(const Problem<double>&, int);

}  // namespace benchmark
