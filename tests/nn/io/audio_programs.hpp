// What AIDA-X, CoreAudioML and NAM's Core do with a file, from their sources: readers that share nothing with the
// library's. Each throws std::runtime_error for a file that the program refuses, or that it could not run.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "networks.hpp"

namespace audio_programs {

using networks::Row;
using networks::Rows;
using networks::sigma;
using nlohmann::json;

inline void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

/// aidadsp-plugin.cpp and model_variant.hpp of AIDA-X: `gains` and `conditions` as in its testModel().
inline Rows run_aidax(const json& file, const Rows& input, bool gains = true) {
  const auto whole_or_zero = [&](const char* key) {
    return file.contains(key) && file[key].is_number() ? static_cast<int>(file[key].get<double>()) : 0;
  };
  const auto factor = [&](const char* key) {
    if (!gains || !file.contains(key) || !file[key].is_number()) return 1.0;
    const double decibel = file[key];
    return decibel > -90 ? std::pow(10, decibel / 20) : 0.0;
  };
  const int skip = whole_or_zero("in_skip");
  require(skip <= 1, "in_skip");
  const std::size_t inputs = file.at("in_shape").back();
  const json& recurrent = file.at("layers").at(0);
  const json& dense = file.at("layers").at(1);
  const std::size_t size = recurrent.at("shape").back();
  require(std::set<std::size_t>{8, 12, 16, 20, 24, 32, 40, 64, 80}.contains(size), "hidden size");
  require(recurrent.at("type") == "lstm" || recurrent.at("type") == "gru", "type");
  require(dense.at("type") == "dense" || dense.at("type") == "time-distributed-dense", "dense");
  require(dense.at("shape").back() == 1, "output size");
  require(inputs >= 1 && inputs <= 3 && input[0].size() == inputs, "inputs");
  json weights = dense.at("weights");
  if (weights.size() == 1) weights.push_back(json::array({0}));
  networks::KerasLayer first(recurrent["type"], recurrent.at("weights")), second("dense", weights, true, "");
  Rows output;
  for (Row x : input) {
    x[0] *= factor("in_gain");  // of the sound alone
    output.push_back({(second.step(first.step(x))[0] + (skip ? x[0] : 0)) * factor("out_gain")});
  }
  return output;
}

/// SimpleRNN of CoreAudioML's networks.py, and its load_model().
inline Rows run_core_audio(const json& file, const Rows& input) {
  const json& data = file.at("model_data");
  const json& state = file.at("state_dict");
  require(data.value("model", "SimpleRNN") == "SimpleRNN", "model");
  for (const auto& [key, value] : data.items())
    require(std::set<std::string>{"model", "input_size", "output_size", "unit_type", "hidden_size", "skip", "bias_fl",
                                  "num_layers"}
                .contains(key),
            "an argument that the constructor does not have");
  const std::string unit = data.value("unit_type", "LSTM");
  require(unit == "LSTM" || unit == "GRU" || unit == "RNN", "unit_type");
  const std::size_t inputs = data.value("input_size", 1), outputs = data.value("output_size", 1),
                    hidden = data.value("hidden_size", 32), levels = data.value("num_layers", 1);
  const long skip = data.value("skip", 1);
  const bool bias = data.value("bias_fl", true);
  const std::size_t gates = unit == "LSTM" ? 4 : unit == "GRU" ? 3 : 1;
  std::set<std::string> names{"lin.weight"};
  if (bias) names.insert("lin.bias");
  const auto matrix = [&](const std::string& name, std::size_t rows, std::size_t columns) {
    names.insert(name);
    const Rows result = state.at(name);
    require(result.size() == rows && result[0].size() == columns, "shape");
    return result;
  };
  const auto vector = [&](const std::string& name, std::size_t size) {
    names.insert(name);
    const Row result = state.at(name);
    require(result.size() == size, "shape");
    return result;
  };
  struct Level {
    Rows w, u;
    Row b, bh, h, c;
  };
  std::vector<Level> stack;
  for (std::size_t l = 0; l < levels; ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    stack.push_back({matrix("rec.weight_ih" + suffix, gates * hidden, l ? hidden : inputs),
                     matrix("rec.weight_hh" + suffix, gates * hidden, hidden),
                     vector("rec.bias_ih" + suffix, gates * hidden), vector("rec.bias_hh" + suffix, gates * hidden),
                     Row(hidden), Row(hidden)});
  }
  const Rows head = matrix("lin.weight", outputs, hidden);
  const Row head_bias = bias ? vector("lin.bias", outputs) : Row(outputs);
  for (const auto& [key, value] : state.items()) require(names.contains(key), "an array that the module does not have");

  Rows output;
  for (const Row& row : input) {
    require(row.size() == inputs, "inputs");
    Row x = row;
    for (Level& level : stack) {
      const auto dot = [](const Row& a, const Row& b) {
        double sum = 0;
        for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
        return sum;
      };
      const Row before = level.h;
      for (std::size_t k = 0; k < hidden; ++k) {
        const auto a = [&](std::size_t gate) {
          return dot(level.w[gate * hidden + k], x) + level.b[gate * hidden + k];
        };
        const auto b = [&](std::size_t gate) {
          return dot(level.u[gate * hidden + k], before) + level.bh[gate * hidden + k];
        };
        if (unit == "LSTM") {
          level.c[k] = sigma(a(1) + b(1)) * level.c[k] + sigma(a(0) + b(0)) * std::tanh(a(2) + b(2));
          level.h[k] = sigma(a(3) + b(3)) * std::tanh(level.c[k]);
        } else if (unit == "GRU") {
          const double z = sigma(a(1) + b(1));
          level.h[k] = (1 - z) * std::tanh(a(2) + sigma(a(0) + b(0)) * b(2)) + z * before[k];
        } else {
          level.h[k] = std::tanh(a(0) + b(0));
        }
      }
      x = level.h;
    }
    Row y(outputs);
    for (std::size_t k = 0; k < outputs; ++k) {
      y[k] = head_bias[k];
      for (std::size_t j = 0; j < hidden; ++j) y[k] += head[k][j] * x[j];
    }
    if (skip) {  // lin(x) + x[:, :, 0:skip], broadcast
      const Row residual(row.begin(), row.begin() + std::min<long>(skip, static_cast<long>(inputs)));
      require(residual.size() == 1 || y.size() == 1 || residual.size() == y.size(), "broadcast");
      Row sum(std::max(residual.size(), y.size()));
      for (std::size_t k = 0; k < sum.size(); ++k)
        sum[k] = y[y.size() == 1 ? 0 : k] + residual[residual.size() == 1 ? 0 : k];
      y = sum;
    }
    output.push_back(y);
  }
  return output;
}

/// get_dsp.cpp and lstm.cpp of NAM's Core of file versions up to `newest`: 5 has one input and one output, whatever a
/// file says, 7 has channels.
inline Rows run_nam_core(const json& file, const Rows& input, int newest) {
  int major = -1, minor = -1, patch = -1;
  const std::string version = file.at("version");
  char rest = 0;
  require(std::sscanf(version.c_str(), "%d.%d.%d%c", &major, &minor, &patch, &rest) == 3, "version");
  require(major == 0 && minor >= 5 && minor <= newest, "version");
  require(file.at("architecture") == "LSTM", "architecture");
  if (file.contains("metadata") && !file["metadata"].is_null())
    for (const char* const key : {"loudness", "input_level_dbu", "output_level_dbu"})
      if (file["metadata"].contains(key) && !file["metadata"][key].is_null())
        require(file["metadata"][key].is_number(), "metadata");
  if (file.contains("sample_rate")) require(file["sample_rate"].is_number(), "sample_rate");
  const json& config = file.at("config");
  const std::size_t in = config.at("input_size"), h = config.at("hidden_size"), levels = config.at("num_layers");
  const std::size_t channels = newest > 5 ? config.value("in_channels", 1) : 1;
  const std::size_t outputs = newest > 5 ? config.value("out_channels", 1) : 1;
  require(channels == in, "inputs that are never set, or set out of bounds");
  const Row weights = file.at("weights");
  struct Cell {
    std::size_t in;
    Row w, b, h, c;
  };
  std::size_t at = 0;
  const auto take = [&](std::size_t count) {
    require(at + count <= weights.size(), "weights");
    at += count;
    const auto end = weights.begin() + static_cast<std::ptrdiff_t>(at);
    return Row(end - static_cast<std::ptrdiff_t>(count), end);
  };
  std::vector<Cell> cells;
  for (std::size_t l = 0; l < levels; ++l) {
    const std::size_t width = l ? h : in;
    Cell cell{width, take(4 * h * (width + h)), take(4 * h), take(h), take(h)};
    cells.push_back(std::move(cell));
  }
  const Row head = take(outputs * h), bias = take(outputs);
  require(at == weights.size(), "weights are left over");
  Rows result;
  for (Row x : input) {
    require(x.size() == channels, "channels");
    for (Cell& cell : cells) {
      x.insert(x.end(), cell.h.begin(), cell.h.end());
      Row z = cell.b;
      for (std::size_t row = 0; row < 4 * h; ++row)
        for (std::size_t k = 0; k < x.size(); ++k) z[row] += cell.w[row * x.size() + k] * x[k];
      for (std::size_t k = 0; k < h; ++k) {
        cell.c[k] = sigma(z[h + k]) * cell.c[k] + sigma(z[k]) * std::tanh(z[2 * h + k]);
        cell.h[k] = sigma(z[3 * h + k]) * std::tanh(cell.c[k]);
      }
      x = cell.h;
    }
    Row y = bias;
    for (std::size_t o = 0; o < outputs; ++o)
      for (std::size_t k = 0; k < h; ++k) y[o] += head[o * h + k] * x[k];
    result.push_back(y);
  }
  return result;
}

}  // namespace audio_programs
