// oracle_conformance: runs every case of files in the format of tests/oracle/README.md.
//
// Exit status: 0 if all cases passed, 1 if any failed, 2 for a file that can not be read as such.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

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
  static const std::vector<Family> all{{"ops", run_op, {"attrs", "inputs"}},
                                       {"ops_edge", run_op, {"attrs", "inputs"}},
                                       {"losses", run_loss, {"attrs", "inputs"}},
                                       {"optimizers", run_optimizer, {}},
                                       {"schedulers", run_scheduler, {}},
                                       {"clip_grad", run_clipping, {}},
                                       {"lstm", run_recurrent, {"config"}},
                                       {"gru", run_recurrent, {"config"}},
                                       {"rnn", run_recurrent, {"config"}},
                                       {"cells", run_cell, {"config"}},
                                       {"lstm_variants", run_lstm_variant, {"config"}},
                                       {"rnn_second_order", run_second_order, {"config"}},
                                       {"training", run_training, {"config"}}};
  return all;
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
