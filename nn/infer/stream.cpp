#include "nn/infer/stream.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "autograd/error.hpp"
#include "autograd/kernels/packed_product.hpp"
#include "autograd/ops/elementary.hpp"
#include "autograd/values/lane.hpp"
#include "nn/io/faults.hpp"

namespace nn::infer {

using autograd::ShapeError;
using autograd::ValueError;
namespace kernels = autograd::kernels;
using io::Layer;
using io::Tensor;

namespace {

/// The matrix (first | second)ᵀ of weights (n, k1) and (n, k2), packed for one_row(). A single column stays as it is:
/// a panel as wide as a register would be many times as large.
template <class Packed>
void pack_into(Packed& packed, const Tensor& first, const Tensor& second = {{0, 0}, {}}) {
  using T = typename Packed::value_type;
  const std::size_t n = first.shape[0], k1 = first.shape[1], k2 = second.shape[1];
  packed.resize(n == 1 ? k1 + k2 : kernels::packed_size<T>(k1 + k2, n));
  if constexpr (std::is_same_v<T, double>)
    if (k2 == 0 && n > 1) return kernels::pack(true, k1, n, first.values.data(), packed.data());  // as it is
  std::vector<T> rows;
  rows.reserve(n * (k1 + k2));
  for (std::size_t row = 0; row < n; ++row)
    for (std::size_t column = 0; column < k1 + k2; ++column)
      rows.push_back(
          static_cast<T>(column < k1 ? first.values[row * k1 + column] : second.values[row * k2 + column - k1]));
  if (n == 1)
    std::copy(rows.begin(), rows.end(), packed.begin());
  else
    kernels::pack(true, k1 + k2, n, rows.data(), packed.data());
}

/// y = start + x B, for x (k), packed B (k, n) and y (n); `start` may be null for zeros.
template <class T>
void one_row(std::size_t n, std::size_t k, const T* x, const T* packed, const T* start, T* y) {
  if (n > 1) return kernels::packed_product(1, n, k, x, packed, start, 0, y);
  std::array<T, 16> sums{};  // of which compilers make registers
  std::size_t at = 0;
  for (; at + sums.size() <= k; at += sums.size())
    for (std::size_t lane = 0; lane < sums.size(); ++lane) sums[lane] += x[at + lane] * packed[at + lane];
  for (std::size_t lane = 0; at < k; ++at, ++lane) sums[lane] += x[at] * packed[at];
  *y = std::accumulate(sums.begin(), sums.end(), start ? *start : T(0));
}

/// Appends a tensor, or `size` zeros for one that is not there.
template <class Values>
void append(Values& to, const Tensor& tensor, std::size_t size = 0) {
  if (tensor.empty()) to.resize(to.size() + size);
  for (const double value : tensor.values) to.push_back(static_cast<typename Values::value_type>(value));
}

/// block(at) for each register of `size` elements, block(at, rest) for what is left.
template <class T, class Block>
void in_registers(std::size_t size, Block block) {
  constexpr std::size_t width = autograd::detail::lane_width<T>;
  std::size_t at = 0;
  for (; at + width <= size; at += width) block(at);
  if (at < size) block(at, size - at);
}

template <class T, class... Rest>
autograd::Simd<T> load(const T* from, Rest... rest) {
  return autograd::detail::load<T>(from, rest...);
}

/// 10^(dB / 20).
double factor(double decibel) { return std::pow(10.0, decibel / 20); }

void require_sound(const io::Network& network) {
  if (const auto found = io::faults(network); !found.empty()) throw ValueError("infer: " + io::joined(found));
}

Tensor widened(const std::vector<double>& values) { return {{values.size()}, values}; }

}  // namespace

template <class T>
Unit<T>::Unit(const Layer& layer, const io::Arrays& arrays)
    : kind_(layer.kind),
      activation_(layer.activation),
      reset_after_(layer.reset_after),
      input_(layer.input_size),
      size_(layer.size),
      recurrent_(layer.projection() ? layer.projection() : layer.size) {
  const std::size_t rows = layer.gates() * size_;
  if (layer.recurrent() && kind_ != Layer::Kind::gru)
    pack_into(weight_, arrays.weight_hh, arrays.weight_ih);
  else
    pack_into(weight_, arrays.weight_ih);
  append(bias_, arrays.bias_ih, rows);
  z_.resize(rows);
  row_.resize(recurrent_ + input_);
  if (!layer.recurrent()) return;
  append(h0_, arrays.h0, recurrent_);
  if (kind_ == Layer::Kind::gru) {
    // Resetting before the product needs that of the candidate apart.
    const std::size_t gates = reset_after_ ? 3 * size_ : 2 * size_;
    const auto middle = arrays.weight_hh.values.begin() + static_cast<std::ptrdiff_t>(gates * size_);
    pack_into(weight_h_, {{gates, size_}, {arrays.weight_hh.values.begin(), middle}});
    if (!reset_after_) pack_into(weight_n_, {{size_, size_}, {middle, arrays.weight_hh.values.end()}});
    append(bias_h_, arrays.bias_hh, rows);
    u_.resize(rows);
  } else {
    for (std::size_t k = 0; k < arrays.bias_hh.values.size(); ++k)
      bias_[k] = static_cast<T>((arrays.bias_ih.empty() ? 0 : arrays.bias_ih.values[k]) + arrays.bias_hh.values[k]);
  }
  if (kind_ == Layer::Kind::lstm) append(c0_, arrays.c0, size_);
  if (layer.projection()) {
    pack_into(weight_hr_, arrays.weight_hr);
    u_.resize(size_);
  }
  c_ = c0_;
  reset();
}

template <class T>
void Unit<T>::reset() noexcept {
  std::copy(h0_.begin(), h0_.end(), row_.begin());
  std::copy(c0_.begin(), c0_.end(), c_.begin());
}

template <class T>
const T* Unit<T>::step(const T* x) noexcept {
  T *const h = row_.data(), *const now = h + recurrent_;
  std::copy_n(x, input_, now);
  switch (kind_) {
    case Layer::Kind::lstm:
      lstm();
      break;
    case Layer::Kind::gru:
      gru();
      break;
    case Layer::Kind::rnn:
      one_row(size_, size_ + input_, h, weight_.data(), bias_.data(), z_.data());
      activate(z_.data(), size_);
      std::copy_n(z_.data(), size_, h);
      break;
    case Layer::Kind::linear:
      one_row(size_, input_, now, weight_.data(), bias_.data(), h);
      activate(h, size_);
  }
  return h;
}

// [zi | zf | zg | zo] = [h' | x] W + b,  c = σ(zf) c' + σ(zi) tanh(zg),  h = σ(zo) tanh(c), with a projection h W_hr
template <class T>
void Unit<T>::lstm() noexcept {
  const std::size_t size = size_;
  one_row(4 * size, recurrent_ + input_, row_.data(), weight_.data(), bias_.data(), z_.data());
  T* const h = weight_hr_.empty() ? row_.data() : u_.data();
  in_registers<T>(size, [&, z = z_.data(), c = c_.data()](std::size_t at, auto... rest) {
    const auto zi = load(z + at, rest...), zf = load(z + size + at, rest...);
    const auto zg = load(z + 2 * size + at, rest...), zo = load(z + 3 * size + at, rest...);
    const auto next = sigmoid(zf) * load<T>(c + at, rest...) + sigmoid(zi) * tanh(zg);
    autograd::detail::store<T>(next, c + at, rest...);
    autograd::detail::store<T>(sigmoid(zo) * tanh(next), h + at, rest...);
  });
  if (!weight_hr_.empty()) one_row<T>(recurrent_, size, h, weight_hr_.data(), nullptr, row_.data());
}

// [zr | zz | zn] = x W + b,  [ur | uz | un] = h' U + b_h,  r = σ(zr + ur),  z = σ(zz + uz),
// n = tanh(zn + r un), or tanh(zn + (r h') U_n + b_hn),  h = (1 - z) n + z h'
template <class T>
void Unit<T>::gru() noexcept {
  const std::size_t size = size_;
  T *const h = row_.data(), *const z = z_.data(), *const u = u_.data();
  one_row(3 * size, input_, h + size, weight_.data(), bias_.data(), z);
  one_row(reset_after_ ? 3 * size : 2 * size, size, h, weight_h_.data(), bias_h_.data(), u);
  if (!reset_after_) {
    // The row r h' takes the place of u_r, which is not read again.
    in_registers<T>(size, [&](std::size_t at, auto... rest) {
      const auto r = sigmoid(load(z + at, rest...) + load(u + at, rest...));
      autograd::detail::store<T>(r * load(h + at, rest...), u + at, rest...);
    });
    one_row(size, size, u, weight_n_.data(), bias_h_.data() + 2 * size, u + 2 * size);
  }
  in_registers<T>(size, [&](std::size_t at, auto... rest) {
    const auto un = load(u + 2 * size + at, rest...), zn = load(z + 2 * size + at, rest...);
    const auto n = tanh(reset_after_ ? zn + sigmoid(load(z + at, rest...) + load(u + at, rest...)) * un : zn + un);
    const auto gate = sigmoid(load(z + size + at, rest...) + load(u + size + at, rest...));
    autograd::detail::store<T>(n + gate * (load(h + at, rest...) - n), h + at, rest...);
  });
}

template <class T>
void Unit<T>::activate(T* y, std::size_t size) const noexcept {
  switch (activation_) {
    case Nonlinearity::identity:
      break;
    case Nonlinearity::tanh:
      in_registers<T>(size, [&](std::size_t at, auto... rest) {
        autograd::detail::store<T>(tanh(load(y + at, rest...)), y + at, rest...);
      });
      break;
    case Nonlinearity::sigmoid:
      in_registers<T>(size, [&](std::size_t at, auto... rest) {
        autograd::detail::store<T>(sigmoid(load(y + at, rest...)), y + at, rest...);
      });
      break;
    case Nonlinearity::relu:
      for (std::size_t k = 0; k < size; ++k) y[k] = std::max(y[k], T(0));
      break;
    case Nonlinearity::elu:
      for (std::size_t k = 0; k < size; ++k) y[k] = y[k] > 0 ? y[k] : std::expm1(y[k]);
      break;
    case Nonlinearity::softmax: {
      const T largest = *std::max_element(y, y + size);
      T sum = 0;
      for (std::size_t k = 0; k < size; ++k) sum += y[k] = std::exp(y[k] - largest);
      for (std::size_t k = 0; k < size; ++k) y[k] /= sum;
      break;
    }
    default:;  // of no network without faults()
  }
}

template <class T>
Tensor Unit<T>::h() const {
  return widened({row_.begin(), row_.begin() + static_cast<std::ptrdiff_t>(recurrent_)});
}

template <class T>
Tensor Unit<T>::c() const {
  return widened({c_.begin(), c_.end()});
}

template <class T>
Stream<T>::Stream(const io::Network& network) {
  require_sound(network);
  for (const Layer& layer : network.layers) {
    if (layer.directions.size() != 1)
      throw ValueError("infer: " + layer.name +
                       " is bidirectional, and a stream has no end to begin at; evaluate() "
                       "takes whole sequences");
    units_.emplace_back(layer, layer.directions[0]);
  }
  input_.resize(network.input_size());
  output_size_ = network.output_size();
  skip_ = network.skip;
  input_gain_ = static_cast<T>(factor(network.input_gain_db));
  output_gain_ = static_cast<T>(factor(network.output_gain_db));
}

template <class T>
void Stream<T>::step(const T* x, T* y) noexcept {
  for (std::size_t k = 0; k < input_.size(); ++k) input_[k] = input_gain_ * x[k];
  const T* features = input_.data();
  for (Unit<T>& unit : units_) features = unit.step(features);
  for (std::size_t k = 0; k < output_size_; ++k)
    y[k] = output_gain_ * (k < skip_ ? features[k] + input_[k] : features[k]);
}

template <class T>
void Stream<T>::reset() noexcept {
  for (Unit<T>& unit : units_) unit.reset();
}

template <class T>
Evaluation<T>::Evaluation(const io::Network& network, const Tensor& input, bool gains)
    : input_(input),
      width_(network.input_size()),
      skip_(network.skip),
      output_size_(network.output_size()),
      input_gain_(gains ? static_cast<T>(factor(network.input_gain_db)) : 1),
      output_gain_(gains ? static_cast<T>(factor(network.output_gain_db)) : 1) {
  require_sound(network);
  if (input.shape.rank() != 2 || input.shape[1] != network.input_size())
    throw ShapeError("infer: input has shape " + to_string(input.shape) + ", expected (time, " +
                     std::to_string(network.input_size()) + ")");
  first_.resize(width_);
  output_.resize(output_size_);
  const std::size_t steps = input.shape[0];
  for (const Layer& layer : network.layers) {
    if (layer.directions.size() == 1) {
      units_.emplace_back(layer, layer.directions[0]);
      continue;
    }
    std::vector<T> read(steps * layer.input_size), answer(steps * layer.output_size());
    for (at_ = 0; at_ < steps; ++at_) std::copy_n(advance(), layer.input_size, read.data() + at_ * layer.input_size);
    units_.clear();
    for (std::size_t direction = 0; direction < 2; ++direction) {
      Unit<T> unit(layer, layer.directions[direction]);
      for (std::size_t k = 0; k < steps; ++k) {
        const std::size_t t = direction == 0 ? k : steps - 1 - k;
        std::copy_n(unit.step(read.data() + t * layer.input_size), unit.output_size(),
                    answer.data() + t * layer.output_size() + direction * unit.output_size());
      }
    }
    sequence_ = std::move(answer);
    width_ = layer.output_size();
  }
  at_ = 0;
}

template <class T>
const T* Evaluation<T>::advance() {
  const double* const x = input_.values.data() + at_ * first_.size();
  for (std::size_t k = 0; k < first_.size(); ++k) first_[k] = input_gain_ * static_cast<T>(x[k]);
  const T* features = sequence_.empty() ? first_.data() : sequence_.data() + at_ * width_;
  for (Unit<T>& unit : units_) features = unit.step(features);
  return features;
}

template <class T>
const T* Evaluation<T>::next() {
  const T* const features = advance();
  for (std::size_t k = 0; k < output_size_; ++k)
    output_[k] = output_gain_ * (k < skip_ ? features[k] + first_[k] : features[k]);
  ++at_;
  return output_.data();
}

Tensor evaluate(const io::Network& network, const Tensor& input) {
  Evaluation<double> evaluation(network, input);
  Tensor output = io::zero_tensor({input.shape[0], network.output_size()});
  for (auto to = output.values.begin(); to != output.values.end();)
    to = std::copy_n(evaluation.next(), network.output_size(), to);
  return output;
}

io::Network burnt_in(io::Network network, std::size_t steps) {
  Stream<double> stream(network);
  const std::vector<double> silence(stream.input_size());
  std::vector<double> output(stream.output_size());
  for (std::size_t t = 0; t < steps; ++t) stream.step(silence.data(), output.data());
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    Layer& layer = network.layers[k];
    if (!layer.recurrent()) continue;
    io::Arrays& arrays = layer.directions[0];
    arrays.h0 = stream.units()[k].h();
    if (layer.kind == Layer::Kind::lstm) arrays.c0 = stream.units()[k].c();
    for (Tensor* const state : {&arrays.h0, &arrays.c0})
      for (double& value : state->values) value = io::rounded(value, network.dtype);
  }
  return network;
}

template class Unit<float>;
template class Unit<double>;
template class Stream<float>;
template class Stream<double>;
template class Evaluation<float>;
template class Evaluation<double>;

}  // namespace nn::infer
