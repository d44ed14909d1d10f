// Reads wengert/1 in one pass. Numbers go to buffers of their own until the whole file has proved good.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "autograd/error.hpp"
#include "nn/io/faults.hpp"
#include "nn/io/formats/native.hpp"
#include "nn/io/json_scanner.hpp"
#include "nn/io/self_test.hpp"

namespace nn::io::formats {

using autograd::Shape;

namespace {

/// What a value of the file is, in the order of `expected`.
enum class Role {
  file,
  parameters,
  metadata,
  module,
  self_test,
  parameter,
  modules,
  shape,
  data,
  extent,
  number,
  tolerance,
  attribute,
  header,
  note,
  anything
};
constexpr std::array expected{"an object",
                              "an object",
                              "an object",
                              "an object",
                              "an object with \"input\", \"output\" and \"tolerance\"",
                              "an object with \"shape\" and \"data\"",
                              "a list of objects",
                              "a list of extents",
                              "a flat list of numbers",
                              "a whole number, not negative",
                              "a number",
                              "a number",
                              "a text, a number, true or false",
                              "a text",
                              "a text",
                              "anything"};
static_assert(expected.size() == static_cast<std::size_t>(Role::anything) + 1);

const char* expectation(Role role) { return expected[static_cast<std::size_t>(role)]; }
bool is_object(Role role) { return role <= Role::parameter; }
bool is_list(Role role) { return role >= Role::modules && role <= Role::data; }

/// Names and what is wrong with them, as one text.
struct Faults {
  std::size_t count = 0;
  std::string names = {};

  void add(const std::string& name) { names += (count++ ? ", " : "") + name; }
};

std::string shown_value(const Attribute& attribute) {
  const bool is_text = attribute.kind == Attribute::Kind::text;
  return is_text ? '"' + shown(attribute.text) + '"' : value_text(attribute);
}

/// A parameter of the model, and what the file has for it.
struct Target {
  Shape shape = {};
  bool found = false;
  std::vector<double> values = {};
};

class Reader : JsonScanner {
 public:
  /// Names and shapes are not compared.
  explicit Reader(const Input& input) : JsonScanner(input.who, input.source, input.bytes), input_(input) {}

  Reader(const Input& input, const io::detail::Contents& model, bool allow_narrowing, bool verify)
      : JsonScanner(input.who, input.source, input.bytes),
        input_(input),
        model_(&model),
        allow_narrowing_(allow_narrowing),
        verify_(verify) {
    io::detail::ParameterCheck check(input.who);
    for (const auto& [name, parameter] : model_->parameters)
      std::visit(
          [&, &name = name](const auto* p) {
            check(name, io::detail::dtype_of(*p));
            targets_[name].shape = p->shape();
          },
          parameter);
  }

  /// What the file has, once everything has proved good. The tensors of a model stay here.
  Weights read() {
    scan();
    if (skipping_ && header_known()) {
      skipping_ = false;
      scan();
    }
    if (format_.empty()) refuse(foreign());
    if (dtype_.empty()) refuse("\"dtype\" is missing");
    if (!has_parameters_) refuse("\"parameters\" is missing");
    if (model_) check_model();
    file_.dtype = dtype_ == "float32" ? Dtype::float32 : Dtype::float64;
    if (model_ && verify_ && file_.self_test) check_self_test();
    return std::move(file_);
  }

  /// What the file has for a parameter of the model.
  const std::vector<double>& values(const std::string& name) const { return targets_.at(name).values; }

 private:
  struct Level {
    Role role;
    std::set<std::string> keys = {};
  };

  /// What the value at hand is.
  Role role() const {
    if (levels_.empty()) return Role::file;
    switch (levels_.back().role) {
      case Role::file:
        return top_role();
      case Role::modules:
        return Role::module;
      case Role::module:
        return Role::attribute;
      case Role::parameters:
        return Role::parameter;
      case Role::self_test:
        return key() == "tolerance" ? Role::tolerance : Role::parameter;
      case Role::parameter:
        return key() == "shape" ? Role::shape : Role::data;
      case Role::shape:
        return Role::extent;
      case Role::data:
        return Role::number;
      case Role::metadata:
        return Role::note;
      default:
        return Role::anything;
    }
  }

  Role top_role() const {
    if (key() == "format" || key() == "dtype") return Role::header;
    if (skipping_) return Role::anything;
    if (key() == "modules") return Role::modules;
    if (key() == "parameters") return Role::parameters;
    if (key() == "metadata") return Role::metadata;
    if (key() == "self_test") return Role::self_test;
    return Role::anything;
  }

  void on_open(Container container) override {
    const Role role = this->role();
    const bool fits = container == Container::object ? is_object(role) : is_list(role);
    if (!fits && role != Role::anything) mismatch(container, expectation(role));
    if (role == Role::parameters) has_parameters_ = true;
    if (role == Role::module) attributes_.clear();
    if (role == Role::self_test) file_.self_test.emplace();
    if (role == Role::parameter) begin_parameter();
    if (role == Role::data && target_) target_->values.reserve(std::min(capacity_, numbers_ahead().count));
    levels_.push_back({role});
  }

  void on_key() override {
    Level& level = levels_.back();
    if (level.role == Role::anything) return;
    if (level.role == Role::file) check_top(key());
    if (level.role == Role::parameter && key() != "shape" && key() != "data")
      fail("unknown key; a parameter has \"shape\" and \"data\"");
    if (level.role == Role::self_test && key() != "input" && key() != "output" && key() != "tolerance")
      fail("unknown key; a self-test has \"input\", \"output\" and \"tolerance\"");
    if (!level.keys.insert(key()).second) fail("the key occurs twice");
    if (level.role != Role::parameters && level.keys.size() > max_keys)
      fail("more than " + std::to_string(max_keys) + " keys");
  }

  void on_scalar(Scalar value) override {
    const Role role = this->role();
    auto* const number = std::get_if<Number>(&value);
    auto* const text = std::get_if<std::string>(&value);
    auto* const truth = std::get_if<bool>(&value);
    if (role == Role::anything) return;
    if (role == Role::number && number) return store(*number);
    if (role == Role::extent && number && add_extent(number->text)) return;
    if (role == Role::header && text) return read_header(*text);
    if (role == Role::note && text)
      file_.metadata[key()] = std::move(*text);
    else if (role == Role::tolerance && number)
      file_.self_test->tolerance = number->value();
    else if (role == Role::attribute && text)
      attributes_.emplace_back(key(), std::move(*text));
    else if (role == Role::attribute && number)
      attributes_.emplace_back(key(), number->value());
    else if (role == Role::attribute && truth)
      attributes_.emplace_back(key(), *truth);
    else
      mismatch(value, expectation(role));
  }

  void on_close() override {
    const Level level = std::move(levels_.back());
    levels_.pop_back();
    if (level.role == Role::parameter) end_parameter(level.keys);
    if (level.role == Role::module) end_module();
    if (level.role == Role::self_test)
      for (const char* key : {"input", "output", "tolerance"})
        if (!level.keys.contains(key)) fail("\"" + std::string(key) + "\" is missing");
  }

  bool header_known() const { return !format_.empty() && !dtype_.empty(); }

  /// Until format and dtype are known, everything else is skipped, to be read in a second pass.
  void check_top(const std::string& key) {
    constexpr std::array own{"modules", "parameters", "optimizer", "rng", "self_test", "metadata"};
    if (key == "format" || key == "dtype") return;
    if (!header_known())
      skipping_ = true;
    else if (std::find(own.begin(), own.end(), key) == own.end())
      fail("unknown key; notes belong in \"metadata\"");
  }

  void read_header(const std::string& value) {
    if (key() == "format") {
      if (value.starts_with("wengert/") && value != native_version)
        fail("format \"" + shown(value) + "\", this library reads \"" + std::string(native_version) +
             "\"; update it, or save the file in that format");
      if (value != native_version)
        fail("format \"" + shown(value) + "\", expected \"" + std::string(native_version) + "\"");
      format_ = value;
    } else {
      if (value != "float32" && value != "float64")
        fail("dtype \"" + shown(value) + "\", expected \"float32\" or \"float64\"");
      if (value == "float64" && model_is_float() && !allow_narrowing_)
        fail("the file is float64, the model float32; set allow_narrowing to round every number");
      dtype_ = value;
    }
  }

  bool model_is_float() const { return model_ && model_->dtype() == Dtype::float32; }

  std::string foreign() const {
    const std::string what = "not a " + std::string(native_version) + " file, \"format\" is missing";
    const std::string other = likeness(input_.bytes, "").other;
    return other.empty() ? what : what + "; it looks like " + other;
  }

  void begin_parameter() {
    in_self_test_ = levels_.back().role == Role::self_test;
    const auto found = targets_.find(key());
    if (model_ && !in_self_test_) {
      target_ = found == targets_.end() ? nullptr : &found->second;
      capacity_ = target_ ? target_->shape.elements() : 0;
    } else {
      loose_ = {};
      target_ = &loose_;
      capacity_ = std::size_t(-1);
    }
    shape_ = {};
    count_ = 0;
  }

  bool add_extent(std::string_view text) {
    std::size_t extent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    if (shape_.rank() == Shape::max_rank) fail("more than " + std::to_string(Shape::max_rank) + " axes");
    shape_.push_back(extent);
    return true;
  }

  /// Keeps no more numbers than the model has room for.
  void store(const Number& number) {
    const double value = dtype_ == "float32" ? rounded<float>(number) : rounded<double>(number);
    if (model_is_float() && !std::isfinite(static_cast<float>(value))) fail("the number is too large for float32");
    if (count_++ < capacity_) target_->values.push_back(value);
  }

  /// The T nearest to the decimal number. (By way of double it would be rounded twice: 7.038531e-26 differs.)
  template <class T>
  double rounded(const Number& number) const {
    T value = 0;
    const std::errc error = std::from_chars(number.text.data(), number.text.data() + number.text.size(), value).ec;
    if (error != std::errc()) value = static_cast<T>(number.value());  // beyond the range of T, up or down
    if (!std::isfinite(value)) fail("the number is too large for float32");
    return value;
  }

  void end_parameter(const std::set<std::string>& keys) {
    for (const char* key : {"shape", "data"})
      if (!keys.contains(key)) fail("\"" + std::string(key) + "\" is missing");
    if (!holds(shape_, count_))
      fail("shape " + to_string(shape_) + " does not fit the " + std::to_string(count_) + " numbers of data");
    if (target_ == &loose_) {
      Tensor tensor{shape_, std::move(loose_.values)};
      if (!in_self_test_)
        file_.tensors.emplace_back(key(), std::move(tensor));
      else
        (key() == "input" ? file_.self_test->input : file_.self_test->output) = std::move(tensor);
      return;
    }
    if (!target_) return unexpected_.add(shown(key()));
    target_->found = true;
    if (shape_ == target_->shape) return;
    wrong_shape_.add(key() + ": file " + to_string(shape_) + ", model " + to_string(target_->shape));
    target_->values = std::vector<double>();  // gives the memory back
  }

  void end_module() {
    if (!model_) return keep_module();
    for (const auto& [path, description] : model_->modules) {
      if (std::find(attributes_.begin(), attributes_.end(), Attribute("name", path)) == attributes_.end()) continue;
      std::vector<Attribute> own = description.attributes;
      own.emplace_back("type", description.type);
      if (std::find(attributes_.begin(), attributes_.end(), Attribute("type", "")) != attributes_.end()) continue;
      for (const Attribute& ours : own)
        for (const Attribute& theirs : attributes_)
          if (ours.name == theirs.name && !(ours == theirs))
            different_.add(path + (path.empty() ? "" : ".") + ours.name + ": file " + shown_value(theirs) + ", model " +
                           shown_value(ours));
    }
  }

  void keep_module() {
    if (file_.modules.size() == max_keys) fail("more than " + std::to_string(max_keys) + " modules");
    std::pair<std::string, Description> module;
    for (Attribute& attribute : attributes_) {
      if (attribute.name == "name")
        module.first = attribute.text;
      else if (attribute.name == "type")
        module.second.type = attribute.text;
      else
        module.second.attributes.push_back(std::move(attribute));
    }
    file_.modules.push_back(std::move(module));
  }

  /// Runs the model as it would be with the weights of the file.
  void check_self_test() const {
    Weights weights{.dtype = file_.dtype, .modules = model_->modules, .self_test = file_.self_test};
    for (const auto& [name, parameter] : model_->parameters)
      weights.tensors.emplace_back(name, Tensor{targets_.at(name).shape, targets_.at(name).values});
    try {
      verify_self_test(network_of(weights), input_.who);
    } catch (const autograd::ValueError& error) {
      refuse(std::string("it has a self-test that can not be run, ") + error.what() + "; remove \"self_test\" from it");
    }
  }

  void check_model() const {
    Faults missing;
    for (const auto& [name, parameter] : model_->parameters)
      if (!targets_.at(name).found) missing.add(name);
    Faults all;
    const auto add = [&](const char* what, const Faults& faults) {
      if (faults.count) all.add(std::to_string(faults.count) + " " + what + " (" + faults.names + ")");
    };
    add("missing", missing);
    add("unexpected", unexpected_);
    add("wrong shape", wrong_shape_);
    if (!all.count) add("different", different_);  // where sizes differ, shapes have
    if (all.count) throw autograd::FormatError(input_.who + ": " + all.names);
  }

  const Input& input_;
  const io::detail::Contents* model_ = nullptr;
  bool allow_narrowing_ = false, verify_ = false;

  std::vector<Level> levels_;
  bool skipping_ = false;
  std::string format_, dtype_;
  bool has_parameters_ = false, in_self_test_ = false;
  Weights file_;
  Target loose_;  // the array at hand where it belongs to no model

  // The parameter at hand.
  Target* target_ = nullptr;
  std::size_t capacity_ = 0, count_ = 0;
  Shape shape_;

  // The module at hand.
  std::vector<Attribute> attributes_;

  std::map<std::string, Target> targets_;
  Faults unexpected_, wrong_shape_, different_;
};

}  // namespace

Metadata read_native(const Input& input, const io::detail::Contents& model, bool allow_narrowing, bool verify) {
  Reader reader(input, model, allow_narrowing, verify);
  Weights file = reader.read();
  io::detail::assign(model, [&](const std::string& name) -> const std::vector<double>& { return reader.values(name); });
  return std::move(file.metadata);
}

Weights read_native(const Input& input) { return Reader(input).read(); }

}  // namespace nn::io::formats
