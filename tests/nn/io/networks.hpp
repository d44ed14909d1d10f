// Networks with random weights, and readers of other programs' files that share nothing with the library's.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "nn/io/network.hpp"

namespace networks {

using nn::io::Arrays;
using nn::io::Dtype;
using nn::io::Layer;
using nn::io::Network;
using nn::io::Shape;
using nn::io::Tensor;

class Random {
 public:
  explicit Random(std::uint64_t seed, Dtype dtype = Dtype::float32) : random_(seed), dtype_(dtype) {}

  Tensor tensor(const Shape& shape) {
    Tensor result = nn::io::zero_tensor(shape);
    for (double& value : result.values)
      value = nn::io::rounded(static_cast<double>(random_() >> 11) * 0x1p-52 - 1, dtype_);
    return result;
  }

 private:
  std::mt19937_64 random_;
  Dtype dtype_;
};

struct Spec {
  Layer::Kind kind;
  std::size_t size;
  bool reset_after = true;
  std::size_t directions = 1;
  nn::Nonlinearity activation = nn::Nonlinearity::identity;
  std::size_t projection = 0;
};

inline Network random_network(std::size_t inputs, const std::vector<Spec>& specs, Dtype dtype = Dtype::float32,
                              std::uint64_t seed = 1) {
  Random random(seed, dtype);
  Network network{.dtype = dtype};
  std::size_t width = inputs;
  for (const Spec& spec : specs) {
    Layer layer{.kind = spec.kind, .input_size = width, .size = spec.size};
    layer.reset_after = spec.reset_after;
    layer.activation = spec.activation;
    if (spec.kind == Layer::Kind::rnn && spec.activation == nn::Nonlinearity::identity)
      layer.activation = nn::Nonlinearity::tanh;
    const std::size_t rows = layer.gates() * spec.size, recurrent = spec.projection ? spec.projection : spec.size;
    layer.directions.clear();
    for (std::size_t d = 0; d < spec.directions; ++d) {
      Arrays arrays;
      arrays.weight_ih = random.tensor({rows, width});
      arrays.bias_ih = random.tensor({rows});
      if (layer.recurrent()) {
        arrays.weight_hh = random.tensor({rows, recurrent});
        arrays.bias_hh = random.tensor({rows});
      }
      if (spec.projection) arrays.weight_hr = random.tensor({spec.projection, spec.size});
      layer.directions.push_back(std::move(arrays));
    }
    width = layer.output_size();
    network.layers.push_back(std::move(layer));
  }
  nn::io::name_layers(network);
  return network;
}

constexpr auto lstm = Layer::Kind::lstm;
constexpr auto gru = Layer::Kind::gru;
constexpr auto rnn = Layer::Kind::rnn;
constexpr auto linear = Layer::Kind::linear;

using Row = std::vector<double>;
using Rows = std::vector<Row>;

inline double sigma(double x) { return 1 / (1 + std::exp(-x)); }

/// One step of a layer of RTNeural's or Keras's, from the nested lists of the file: gates i f c o, or z r h.
class KerasLayer {
 public:
  KerasLayer(std::string type, nlohmann::json weights, bool reset_after = true, std::string activation = "tanh")
      : type_(std::move(type)), w_(std::move(weights)), reset_after_(reset_after), activation_(std::move(activation)) {
    size_ = type_ == "dense" ? w_[0][0].size() : w_[1].size();
    h_.resize(size_);
    c_.resize(size_);
  }

  Row step(const Row& x) {
    const std::size_t n = size_;
    const auto input = [&](std::size_t column) {
      double sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * w_[0][i][column].get<double>();
      return sum;
    };
    const auto recurrent = [&](std::size_t column, const Row& h) {
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += h[i] * w_[1][i][column].get<double>();
      return sum;
    };
    Row next(n);
    for (std::size_t k = 0; k < n; ++k) {
      if (type_ == "dense") {
        next[k] = applied(input(k) + w_[1][k].get<double>());
      } else if (type_ == "rnn") {
        next[k] = applied(input(k) + recurrent(k, h_) + w_[2][k].get<double>());
      } else if (type_ == "lstm") {
        const auto z = [&](std::size_t gate) {
          const std::size_t column = gate * n + k;
          return input(column) + recurrent(column, h_) + w_[2][column].get<double>();
        };
        c_[k] = sigma(z(1)) * c_[k] + sigma(z(0)) * std::tanh(z(2));
        next[k] = sigma(z(3)) * std::tanh(c_[k]);
      } else {
        const auto bias = [&](int which, std::size_t column) {
          return reset_after_ ? w_[2][which][column].get<double>() : which == 0 ? w_[2][column].get<double>() : 0;
        };
        const auto gate = [&](std::size_t block, std::size_t at) {
          const std::size_t column = block * n + at;
          return sigma(input(column) + bias(0, column) + recurrent(column, h_) + bias(1, column));
        };
        const double z = gate(0, k);
        double candidate = input(2 * n + k) + bias(0, 2 * n + k);
        if (reset_after_) {
          candidate += gate(1, k) * (recurrent(2 * n + k, h_) + bias(1, 2 * n + k));
        } else {
          Row reset(n);
          for (std::size_t i = 0; i < n; ++i) reset[i] = gate(1, i) * h_[i];
          candidate += recurrent(2 * n + k, reset);
        }
        next[k] = z * h_[k] + (1 - z) * std::tanh(candidate);
      }
    }
    return h_ = next;
  }

 private:
  double applied(double x) const {
    if (activation_ == "tanh") return std::tanh(x);
    if (activation_ == "relu") return x > 0 ? x : 0;
    if (activation_ == "sigmoid") return sigma(x);
    return x;
  }

  std::string type_;
  nlohmann::json w_;
  bool reset_after_;
  std::string activation_;
  std::size_t size_ = 0;
  Row h_, c_;
};

inline Rows run(std::vector<KerasLayer> layers, const Rows& input) {
  Rows output;
  for (Row row : input) {
    for (KerasLayer& layer : layers) row = layer.step(row);
    output.push_back(row);
  }
  return output;
}

/// What RTNeural does with a file.
inline Rows run_rtneural(const std::string& text, const Rows& input) {
  const auto file = nlohmann::json::parse(text);
  std::vector<KerasLayer> layers;
  for (const auto& layer : file["layers"])
    layers.emplace_back(layer["type"], layer["weights"], true, layer["activation"]);
  if (file["in_shape"].back() != input[0].size()) throw std::runtime_error("in_shape");
  return run(std::move(layers), input);
}

/// What a .nam file means: per layer W [4H][in + H] in rows i f g o, b, h0, c0, and a head.
inline Rows run_nam(const std::string& text, const Rows& input) {
  const auto file = nlohmann::json::parse(text);
  const std::size_t in = file["config"]["input_size"], h = file["config"]["hidden_size"],
                    layers = file["config"]["num_layers"];
  const Row weights = file["weights"];
  struct Cell {
    std::size_t in;
    Row w, b, h, c;
  };
  std::size_t at = 0;
  const auto take = [&](std::size_t count) {
    Row part(weights.begin() + static_cast<std::ptrdiff_t>(at),
             weights.begin() + static_cast<std::ptrdiff_t>(at + count));
    at += count;
    return part;
  };
  std::vector<Cell> cells;
  for (std::size_t l = 0; l < layers; ++l) {
    const std::size_t width = l == 0 ? in : h;
    Cell cell{width, take(4 * h * (width + h)), {}, {}, {}};
    cell.b = take(4 * h);
    cell.h = take(h);
    cell.c = take(h);
    cells.push_back(cell);
  }
  const Row head = take(h), bias = take(1);
  if (at != weights.size()) throw std::runtime_error("weights are left over");
  Rows output;
  for (Row x : input) {
    for (Cell& cell : cells) {
      Row xh = x;
      xh.insert(xh.end(), cell.h.begin(), cell.h.end());
      Row z(4 * h);
      for (std::size_t row = 0; row < 4 * h; ++row) {
        z[row] = cell.b[row];
        for (std::size_t k = 0; k < xh.size(); ++k) z[row] += cell.w[row * xh.size() + k] * xh[k];
      }
      for (std::size_t k = 0; k < h; ++k) {
        cell.c[k] = sigma(z[h + k]) * cell.c[k] + sigma(z[k]) * std::tanh(z[2 * h + k]);
        cell.h[k] = sigma(z[3 * h + k]) * std::tanh(cell.c[k]);
      }
      x = cell.h;
    }
    double y = bias[0];
    for (std::size_t k = 0; k < h; ++k) y += head[k] * x[k];
    output.push_back({y});
  }
  return output;
}

inline Rows rows_of(const Tensor& tensor) {
  Rows result(tensor.shape[0], Row(tensor.shape[1]));
  for (std::size_t t = 0; t < tensor.shape[0]; ++t)
    for (std::size_t k = 0; k < tensor.shape[1]; ++k) result[t][k] = tensor.values[t * tensor.shape[1] + k];
  return result;
}

inline double largest_difference(const Rows& a, const Rows& b) {
  if (a.size() != b.size()) return 1e300;
  double largest = 0;
  for (std::size_t t = 0; t < a.size(); ++t) {
    if (a[t].size() != b[t].size()) return 1e300;
    for (std::size_t k = 0; k < a[t].size(); ++k) {
      const double difference = std::abs(a[t][k] - b[t][k]);
      if (!(difference <= largest)) largest = difference;
    }
  }
  return largest;
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  return largest_difference(rows_of(a), rows_of(b));
}

}  // namespace networks
