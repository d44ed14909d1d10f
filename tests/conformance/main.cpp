// oracle_conformance: runs every case of files in the format of tests/oracle/README.md.
//
// Exit status: 0 if all cases passed, 1 if any failed, 2 for a file that can not be read as such.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "autograd/error.hpp"
#include "conformance/conformance.hpp"

namespace conformance {

using autograd::FormatError;

namespace {

struct Family {
  const char* name;
  Run run;
  std::vector<const char*> options;  ///< where the format leaves room for options; each must be known
};

const std::vector<Family>& families() {
  static const std::vector<Family> all{
      {"ops", run_op, {"attrs", "inputs"}},      {"ops_edge", run_op, {"attrs", "inputs"}},
      {"losses", run_loss, {"attrs", "inputs"}}, {"optimizers", run_optimizer, {}},
      {"schedulers", run_scheduler, {}},         {"clip_grad", run_clipping, {}}};
  return all;
}

std::string precise(double value) {
  std::ostringstream text;
  text.precision(17);
  text << value;
  return text.str();
}

std::string place(std::size_t flat, const Shape& shape) {
  Shape position = shape;
  for (std::size_t axis = shape.rank(); axis-- > 0; flat /= shape[axis]) position[axis] = flat % shape[axis];
  return to_string(position);
}

struct Counts {
  std::size_t passed = 0, failed = 0;
};

/// Runs one case; false, with a line, if it fails.
bool passes(const std::string& family, const oracle::Case& json) {
  const Case c(json);
  Findings findings;
  const auto known =
      std::find_if(families().begin(), families().end(), [&](const Family& f) { return f.name == family; });
  if (known == families().end()) {
    findings.fail("unknown family \"" + family + "\"");
  } else {
    try {
      known->run(c, findings);
      for (const std::string& name : c.unseen(known->options)) findings.fail("unknown " + name);
    } catch (const FormatError&) {
      throw;
    } catch (const Unknown& unknown) {
      findings.fail(std::string("unknown ") + unknown.what());
    } catch (const autograd::Error& error) {
      findings.fail(error.what());
    }
  }
  if (!findings.passed()) std::cout << "FAIL " << family << "/" << c.name() << ": " << findings.text() << "\n";
  return findings.passed();
}

/// A file whose outer structure is as described.
struct File {
  nlohmann::json json;
  std::string family;
  std::vector<oracle::Case> cases;

  explicit File(const std::string& path) {
    std::ifstream stream(path);
    if (!stream) throw FormatError("can not be opened");
    json = nlohmann::json::parse(stream);
    if (json.at("format_version") != 1)
      throw FormatError("has format_version " + json["format_version"].dump() + ", expected 1");
    family = json.at("family").get<std::string>();
    if (!json.at("cases").is_array()) throw FormatError("has cases that are not an array");
    std::set<std::string> names;
    for (const nlohmann::json& entry : json.at("cases")) {
      cases.emplace_back(family, entry);
      if (!names.insert(cases.back().name()).second) throw FormatError("has two cases called " + cases.back().name());
    }
  }
};

int run(std::span<const std::string> paths) {
  std::map<std::string, Counts> counts;
  for (const std::string& path : paths) {
    try {
      const File file(path);
      for (const oracle::Case& json : file.cases) {
        Counts& count = counts[file.family];
        passes(file.family, json) ? ++count.passed : ++count.failed;
      }
    } catch (const nlohmann::json::exception& error) {
      std::cerr << "oracle_conformance: " << path << ": " << error.what() << "\n";
      return 2;
    } catch (const FormatError& error) {
      std::cerr << "oracle_conformance: " << path << ": " << error.what() << "\n";
      return 2;
    }
  }
  Counts total;
  for (const auto& [family, count] : counts) {
    std::cout << family << ": " << count.passed << " passed, " << count.failed << " failed\n";
    total.passed += count.passed;
    total.failed += count.failed;
  }
  std::cout << total.passed << " passed, " << total.failed << " failed\n";
  return total.failed ? 1 : 0;
}

}  // namespace

double Case::number(const std::string& pointer) const {
  if (case_.json(seen(pointer)) == "inf") return std::numeric_limits<double>::infinity();
  return get<double>(pointer);
}

Array<Index> Case::integers(const std::string& pointer) const {
  const Array<double> values = tensor(pointer);
  Array<Index> result = autograd::make_array<Index>(autograd::shape_of(values));
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double value = values.data()[k];
    if (value != std::floor(value) || std::abs(value) > 1e15)
      throw FormatError("oracle " + name() + ", " + pointer + ": " + precise(value) + " is no index");
    result.data()[k] = static_cast<Index>(value);
  }
  return result;
}

/// An entry of a group is known by the first two parts of a pointer: "/attrs/axis".
const std::string& Case::seen(const std::string& pointer) const {
  const std::size_t second = pointer.find('/', 1);
  if (second != std::string::npos) seen_.insert(pointer.substr(1, pointer.find('/', second + 1) - 1));
  return pointer;
}

std::vector<std::string> Case::unseen(std::span<const char* const> groups) const {
  std::vector<std::string> result;
  for (const std::string group : groups)
    for (const std::string& key : case_.keys("/" + group))
      if (key != "note" && key != "formula" && !seen_.contains(group + "/" + key)) result.push_back(group + "/" + key);
  return result;
}

void Findings::fail(const std::string& text) {
  if (count_++ == 0) first_ = text;
}

std::string Findings::text() const {
  return count_ > 1 ? first_ + " (and " + std::to_string(count_ - 1) + " more)" : first_;
}

void Findings::compare(const std::string& quantity, const Array<double>& got, const Array<double>& expected,
                       Tolerance allowed) {
  const Shape shape = autograd::shape_of(expected);
  if (!(autograd::shape_of(got) == shape))
    return fail(quantity + ": expected shape " + to_string(shape) + ", got " + to_string(autograd::shape_of(got)));
  for (std::size_t k = 0; k < got.size(); ++k) {
    const double a = got.data()[k], b = expected.data()[k];
    if (!(a == b || std::abs(a - b) <= allowed.absolute + allowed.relative * std::abs(b)))
      fail(quantity + " " + place(k, shape) + ": expected " + precise(b) + ", got " + precise(a));
  }
}

void Findings::compare(const std::string& quantity, double got, double expected, Tolerance allowed) {
  compare(quantity, autograd::full<double>({}, got), autograd::full<double>({}, expected), allowed);
}

void Findings::compare(const std::string& quantity, const Array<Index>& got, const Array<Index>& expected) {
  compare(quantity, Array<double>(got), Array<double>(expected), Tolerance{0, 0});
}

std::vector<Variable<double>> compare_gradients(Variable<double> total, std::span<const Variable<double>> inputs,
                                                std::span<const std::string> names, const Case& c,
                                                const std::string& pointer, Tolerance allowed, Findings& findings) {
  Tape<double>& tape = total.tape();
  const bool differentiable = tape.slot(total.slot()).needs_gradient;
  if (differentiable) tape.backward(total);
  const std::vector<Variable<double>> gradients = grad(total, inputs);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Array<double> expected = c.tensor(pointer + "/" + names[k]);
    findings.compare(pointer.substr(1) + "/" + names[k], gradients[k].copy(), expected, allowed);
    if (differentiable)
      findings.compare(pointer.substr(1) + "/" + names[k] + " by backward()", tape.gradient(inputs[k]), expected,
                       allowed);
  }
  return gradients;
}

}  // namespace conformance

int main(int argc, char** argv) {
  const std::vector<std::string> paths(argv + 1, argv + argc);
  if (paths.empty()) {
    std::cerr << "usage: oracle_conformance <file.json>...\n";
    return 2;
  }
  try {
    return conformance::run(paths);
  } catch (const std::exception& error) {
    std::cerr << "oracle_conformance: " << error.what() << "\n";
    return 2;
  }
}
