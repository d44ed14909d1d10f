// Which format a file has.
#include <array>
#include <set>

#include "nn/graph/graph_file.hpp"
#include "nn/io/formats/formats.hpp"
#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io::formats {

namespace {

/// Which of the keys that tell formats apart are at the top of a file; "weight" stands for every key that contains it.
class KeysAtTop : JsonScanner {
 public:
  KeysAtTop(const std::string& source, std::string_view bytes) : JsonScanner("load", source, bytes) {}

  void read() {
    try {
      scan();
    } catch (const Enough&) {
    }
  }
  bool has(const char* key) const { return found_.contains(key); }
  bool is_graph() const { return is_graph_; }

 private:
  struct Enough {};

  void on_open(Container container) override {
    if (depth_ == 0 && container != Container::object) mismatch(container, "an object");
    ++depth_;
  }
  void on_key() override {
    constexpr std::array telling{"format",   "parameters",  "modelTopology",     "class_name",
                                 "config",   "model_data",  "state_dict",        "layers",
                                 "in_shape", "in_skip",     "image_data_format", "architecture",
                                 "out_gain", "input_batch", "in_gain",           "output_batch"};
    if (depth_ != 1) return;
    for (const char* const known : telling)
      if (key() == known) found_.insert(known);
    if (key().find("weight") != std::string::npos) found_.insert("weight");
    if (key() != "format") stop_if_known();
  }
  void on_scalar(Scalar value) override {
    if (depth_ == 0) mismatch(value, "an object");
    if (depth_ != 1 || key() != "format") return;
    const auto* const text = std::get_if<std::string>(&value);
    is_graph_ = text && *text == graph_version;
    if (is_graph_) throw Enough();
    stop_if_known();
  }
  /// Before the numbers of a file of our own.
  void stop_if_known() const {
    if (has("format") && has("parameters")) throw Enough();
  }
  void on_close() override { --depth_; }

  std::set<std::string> found_;
  std::size_t depth_ = 0;
  bool is_graph_ = false;
};

/// Whether it is a message with the fields of an ONNX model, in any order, among them a graph.
bool is_onnx_model(std::string_view bytes) {
  constexpr int last_field = 32;  // far more than there are
  bool has_graph = false;
  try {
    onnx::Field field;
    for (onnx::Fields fields(bytes); fields.next(field);) {
      if (field.number > last_field) return false;
      has_graph = has_graph || (field.number == onnx::model::graph && field.wire == onnx::Wire::bytes);
    }
  } catch (const onnx::Refusal&) {
    return false;
  }
  return has_graph;
}

}  // namespace

Likeness likeness(std::string_view bytes, const std::string& source) {
  if (bytes.size() > 8 && bytes[7] == '\0' && bytes[8] == '{') return {Format::safetensors};
  // Most begin with their version, which tells them even where the rest is damaged.
  if (bytes.starts_with('\x08') || is_onnx_model(bytes)) return {Format::onnx};
  if (bytes.starts_with("PK\x03\x04")) return {{}, "a PyTorch checkpoint or another archive"};
  if (bytes.starts_with("\x89HDF")) return {{}, "a Keras (HDF5) model"};
  if (const std::size_t begin = bytes.find_first_not_of(" \t\r\n", bytes.starts_with("\xEF\xBB\xBF") ? 3 : 0);
      begin != std::string_view::npos && bytes[begin] != '{' && bytes[begin] != '[')
    return {};
  KeysAtTop keys(source, bytes);
  keys.read();
  if (keys.is_graph())
    return {{}, "", "a graph (wengert/2), a model's computation with its weights; read it with nn::io::load_graph()"};
  if (keys.has("format") && keys.has("parameters")) return {Format::native};
  if (keys.has("modelTopology")) return {Format::tfjs};
  if (keys.has("class_name") && keys.has("config")) return {Format::keras};
  if (keys.has("model_data") || keys.has("state_dict")) return {Format::guitarml};
  if (keys.has("image_data_format")) return {{}, "a frugally-deep model"};
  if (keys.has("architecture")) return {Format::nam};
  if (keys.has("layers") || keys.has("in_shape")) {
    const bool aidax = keys.has("in_skip") || keys.has("in_gain") || keys.has("out_gain") || keys.has("input_batch") ||
                       keys.has("output_batch");
    return {aidax ? Format::aidax : Format::rtneural};
  }
  if (keys.has("weight")) return {Format::state_dict};
  if (keys.has("format")) return {Format::native};  // whose reader says what is missing
  return {};
}

}  // namespace nn::io::formats
