#include "nn/io/faults.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "nn/io/formats/native.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/json_text.hpp"

namespace nn::io {

namespace {

constexpr std::size_t max_size = 1'000'000'000;  // of a layer; its arrays are far below the end of a size_t

/// The code points of UTF-8 that no font shows: controls, joiners, marks of direction, noncharacters.
bool printable(char32_t c) {
  return c >= 0x20 && !(c >= 0x7F && c <= 0x9F) && !(c >= 0x200B && c <= 0x200F) && !(c >= 0x2028 && c <= 0x202E) &&
         !(c >= 0x2060 && c <= 0x206F) && c != 0xAD && c != 0xFEFF && (c & 0xFFFE) != 0xFFFE;
}

/// Of text that is UTF-8.
bool printable(const std::string& text) {
  for (std::size_t k = 0; k < text.size();) {
    const auto first = static_cast<unsigned char>(text[k++]);
    const int more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    char32_t c = more ? first & (0x3F >> more) : first;
    for (int n = 0; n < more; ++n) c = c << 6 | (static_cast<unsigned char>(text[k++]) & 0x3F);
    if (!printable(c)) return false;
  }
  return true;
}

class Faults {
 public:
  void add(const std::string& sentence) {
    if (!sentence.empty()) found_.push_back(sentence);
  }

  void check_name(const std::string& what, const std::string& name) {
    if (const std::string fault = text_fault(name); !fault.empty())
      add(fault);
    else if (name.empty())
      add(what + " has an empty name");
    else if (!printable(name))
      add('"' + shown(name) + "\" has characters that can not be printed, and is " + what + "'s name");
  }

  void check_metadata(const Metadata& metadata) {
    for (const auto& [key, value] : metadata) {
      add(text_fault(key));
      add(text_fault(value.text()));
    }
    check_count(metadata.size(), "metadata");
  }

  void check_count(std::size_t count, const char* what) {
    if (count > formats::max_keys)
      add(std::to_string(count) + ' ' + what + ", at most " + std::to_string(formats::max_keys) + " are kept");
  }

  void check_self_test(const std::optional<SelfTest>& test, Dtype dtype) {
    if (!test) return;
    add(number_fault("the input of the self-test", test->input, dtype));
    add(number_fault("the output of the self-test", test->output, dtype));
    if (!std::isfinite(test->tolerance)) add("the tolerance of the self-test is not finite");
  }

  std::vector<std::string> take() { return std::move(found_); }

 private:
  std::vector<std::string> found_;
};

/// What is wrong with one layer by itself.
void check_layer(Faults& faults, const Layer& layer, const std::string& name, Dtype dtype) {
  const auto add = [&](const std::string& what) { faults.add(name + what); };
  const auto size_of = [](std::size_t size) { return std::to_string(size); };
  if (layer.kind > Layer::Kind::linear || layer.activation > Nonlinearity::softmax)
    return add(": its kind or its activation is none of the enumeration");
  if (!is_activation(layer.activation))
    return add(" has the activation " + std::string(nn::name(layer.activation)) +
               ", expected tanh, relu, sigmoid, elu or softmax");
  if (layer.directions.empty() || layer.directions.size() > (layer.recurrent() ? 2 : 1))
    return add(" has " + size_of(layer.directions.size()) + " directions, expected 1" +
               (layer.recurrent() ? " or 2" : ""));
  if (layer.size == 0 || layer.input_size == 0)
    return add(": its input size is " + size_of(layer.input_size) + " and its size " + size_of(layer.size) +
               ", and both must be positive");
  if (layer.size > max_size || layer.input_size > max_size)
    return add(": its input size is " + size_of(layer.input_size) + " and its size " + size_of(layer.size) +
               ", and both must be at most " + size_of(max_size));
  if (layer.kind == Layer::Kind::rnn && layer.activation != Nonlinearity::tanh &&
      layer.activation != Nonlinearity::relu)
    add(" is an RNN with " + std::string(nn::name(layer.activation)) + ", expected tanh or relu");
  if ((layer.kind == Layer::Kind::lstm || layer.kind == Layer::Kind::gru) && layer.activation != Nonlinearity::identity)
    add(" is followed by " + std::string(nn::name(layer.activation)) + ", which a recurrent layer can not be");
  const std::size_t rows = layer.gates() * layer.size;
  const std::size_t width = layer.projection() ? layer.projection() : layer.size;
  for (const Arrays& arrays : layer.directions) {
    const auto check = [&](const char* what, const Tensor& tensor, const Shape& expected) {
      if (tensor.shape != expected || !holds(tensor.shape, tensor.values.size()))
        add(": " + std::string(what) + " has shape " + to_string(tensor.shape) + ", expected " + to_string(expected));
      else
        faults.add(number_fault((name.empty() ? "" : name + ".") + what, tensor, dtype));
    };
    const auto check_if_given = [&](const char* what, const Tensor& tensor, const Shape& expected) {
      if (!tensor.empty()) check(what, tensor, expected);
    };
    const auto refuse_if_given = [&](const char* what, const Tensor& tensor) {
      if (!tensor.empty()) add(" has a " + std::string(what) + ", which is no part of " + nn::io::name(layer.kind));
    };
    check(layer.recurrent() ? "weight_ih" : "weight", arrays.weight_ih, {rows, layer.input_size});
    check_if_given(layer.recurrent() ? "bias_ih" : "bias", arrays.bias_ih, {rows});
    if (!layer.recurrent()) {
      refuse_if_given("weight_hh", arrays.weight_hh);
      refuse_if_given("bias_hh", arrays.bias_hh);
      refuse_if_given("h0", arrays.h0);
    } else {
      check("weight_hh", arrays.weight_hh, {rows, width});
      check_if_given("bias_hh", arrays.bias_hh, {rows});
      check_if_given("h0", arrays.h0, {width});
    }
    if (layer.kind != Layer::Kind::lstm) {
      refuse_if_given("weight_hr", arrays.weight_hr);
      refuse_if_given("c0", arrays.c0);
    } else {
      if (layer.projection()) check("weight_hr", arrays.weight_hr, {width, layer.size});
      check_if_given("c0", arrays.c0, {layer.size});
    }
  }
}

/// Layers of one name are one module: levels of a recurrent layer, which follow one another.
void check_names(Faults& faults, const std::vector<Layer>& layers) {
  std::set<std::string> names;
  for (std::size_t k = 0; k < layers.size(); ++k) {
    const Layer& layer = layers[k];
    const Layer* const before = k > 0 ? &layers[k - 1] : nullptr;
    if (before && before->name == layer.name && layer.recurrent() && before->kind == layer.kind &&
        before->size == layer.size && !before->cell && !layer.cell && before->reset_after == layer.reset_after &&
        before->activation == layer.activation && before->directions.size() == layer.directions.size() &&
        before->projection() == layer.projection())
      continue;
    if (!names.insert(layer.name).second) faults.add("two layers are called \"" + shown(layer.name) + '"');
    if (!layer.name.empty()) faults.check_name("a layer", layer.name);
  }
}

}  // namespace

bool holds(const Shape& shape, std::size_t count) {
  if (std::find(shape.begin(), shape.end(), std::size_t{0}) != shape.end()) return count == 0;
  std::size_t product = 1;
  for (const std::size_t extent : shape) {
    if (extent > count / product) return false;
    product *= extent;
  }
  return product == count;
}

std::string number_fault(const std::string& name, const Tensor& tensor, Dtype dtype) {
  constexpr double too_large = 0x1.ffffffp127;  // the first double that no float is nearest to
  for (std::size_t k = 0; k < tensor.values.size(); ++k) {
    const double value = tensor.values[k];
    if (std::abs(value) < (dtype == Dtype::float32 ? too_large : std::numeric_limits<double>::infinity())) continue;
    Shape index = tensor.shape;
    for (std::size_t axis = index.rank(), flat = k; axis-- > 0; flat /= tensor.shape[axis])
      index[axis] = flat % tensor.shape[axis];
    const std::string where = name + " is ";
    if (std::isnan(value)) return where + "NaN at " + to_string(index) + ", expected a finite number";
    if (std::isinf(value)) return where + "infinite at " + to_string(index) + ", expected a finite number";
    std::string number;
    append_number(number, value, Dtype::float64);
    return where + number + " at " + to_string(index) + ", too large for float32";
  }
  return "";
}

std::vector<std::string> faults(const Weights& weights) {
  Faults result;
  if (weights.dtype > Dtype::float64) result.add("its dtype is none of the enumeration");
  std::set<std::string> names;
  for (const auto& [name, tensor] : weights.tensors) {
    if (!names.insert(name).second) result.add("two parameters are called " + shown(name));
    result.check_name("a parameter", name);
    if (!holds(tensor.shape, tensor.values.size()))
      result.add(shown(name) + " has " + std::to_string(tensor.values.size()) + " numbers, which shape " +
                 to_string(tensor.shape) + " does not hold");
    else
      result.add(number_fault(shown(name), tensor, weights.dtype));
  }
  std::set<std::string> modules;
  for (const auto& [path, description] : weights.modules) {
    if (!modules.insert(path).second) result.add("two modules are called \"" + shown(path) + '"');
    if (!path.empty()) result.check_name("a module", path);
    result.add(text_fault(description.type));
    std::set<std::string> keys{"name", "type"};
    for (const Attribute& attribute : description.attributes) {
      if (!keys.insert(attribute.name).second)
        result.add("module \"" + shown(path) + "\" describes \"" + shown(attribute.name) + "\" twice");
      result.add(text_fault(attribute.name));
      result.add(text_fault(attribute.text));
      if (!std::isfinite(attribute.number)) result.add("attribute " + shown(attribute.name) + " is not finite");
    }
    result.check_count(description.attributes.size(), "attributes");
  }
  result.check_count(weights.modules.size(), "modules");
  result.check_metadata(weights.metadata);
  result.check_self_test(weights.self_test, weights.dtype);
  return result.take();
}

std::vector<std::string> faults(const Network& network, Dtype dtype) {
  Faults result;
  if (network.layers.empty()) result.add("it has no layers");
  if (network.dtype > Dtype::float64) result.add("its dtype is none of the enumeration");
  for (std::size_t k = 0; k < network.layers.size(); ++k) {
    const Layer& layer = network.layers[k];
    const std::string name = shown(layer.name);
    check_layer(result, layer, name, dtype);
    const Layer* const before = k > 0 ? &network.layers[k - 1] : nullptr;
    if (before && before->size > 0 && layer.input_size > 0 && layer.input_size != before->output_size())
      result.add(name + " reads " + std::to_string(layer.input_size) + " features, and the layer before, " +
                 shown(before->name) + ", has " + std::to_string(before->output_size()));
  }
  check_names(result, network.layers);
  if (!network.layers.empty() && network.skip > std::min(network.input_size(), network.output_size()))
    result.add(std::to_string(network.skip) + " inputs are added to the outputs, and there are " +
               std::to_string(network.input_size()) + " inputs and " + std::to_string(network.output_size()) +
               " outputs");
  for (const double gain : {network.input_gain_db, network.output_gain_db}) {
    // Where 10^(dB / 20) is no float any more, or one that has lost digits.
    const bool lost = gain > 770 || (dtype == Dtype::float32 && gain < -758);
    if (!std::isfinite(gain) || lost)
      result.add("a gain is " + std::to_string(gain) + " dB" +
                 (lost ? ", a factor that float32 does not hold; multiply the weights by it" : ""));
  }
  if (!std::isfinite(network.sample_rate)) result.add("the sample rate is not finite");
  result.check_metadata(network.metadata);
  result.check_self_test(network.self_test, network.dtype);
  return result.take();
}

std::vector<std::string> faults(const Network& network) { return faults(network, network.dtype); }

std::string joined(const std::vector<std::string>& faults) {
  constexpr std::size_t shown_at_most = 100;
  std::string text;
  for (std::size_t k = 0; k < std::min(faults.size(), shown_at_most); ++k) text += (k ? "; " : "") + faults[k];
  if (faults.size() > shown_at_most) text += "; and " + std::to_string(faults.size() - shown_at_most) + " more";
  return text;
}

}  // namespace nn::io
