// Graphs as C: what a C compiler makes of every cell, model and op answers as the graph does.
#include "nn/graph/c_source.hpp"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "autograd/error.hpp"
#include "autograd/graph/run.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/io/models.hpp"
#include "op_graphs.hpp"

using autograd::Graph;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using nn::io::c_source;
using nn::io::save_c;

namespace {

constexpr const char* compiler = WENGERT_C_COMPILER;
constexpr int steps = 40;

/// Numbers of [-1, 1), the same in C.
struct Numbers {
  std::uint32_t state = 7;
  double next() {
    state = state * 1664525u + 1013904223u;
    return double(state >> 8) / 8388608.0 - 1.0;
  }
};

template <class T>
std::vector<double> answers(const Graph<T>& graph, int count = steps) {
  autograd::GraphRun<T> run(graph);
  Numbers numbers;
  std::vector<double> result;
  for (int t = 0; t < count; ++t) {
    for (std::size_t k = 0; k < graph.input_size(); ++k) run.input()[k] = static_cast<T>(numbers.next());
    run.step();
    for (std::size_t k = 0; k < graph.output_size(); ++k) result.push_back(double(run.output()[k]));
  }
  return result;
}

/// Many models in one program.
template <class T>
class Program {
 public:
  explicit Program(const std::filesystem::path& folder) : folder_(folder) {}

  void add(const std::string& what, const Graph<T>& graph) {
    const std::string name = "m" + std::to_string(names_.size());
    save_c(graph, folder_ / (name + ".h"));
    names_.push_back(what);
    expected_.push_back(answers(graph));
  }

  /// Compiles with these options, as C or C++, and compares.
  void check(const std::string& options, double tolerance, const std::string& suffix = ".c") {
    const std::string type = sizeof(T) == 4 ? "float" : "double";
    const std::string source = (folder_ / ("main" + suffix)).string(), program = (folder_ / "main").string();
    std::ofstream code(source);
    code << "#include <stdio.h>\n";
    for (std::size_t k = 0; k < names_.size(); ++k) code << "#include \"m" << k << ".h\"\n";
    code << "static unsigned u;\nstatic double next(void) { u = u * 1664525u + 1013904223u; return (double)(u >> 8) / "
            "8388608.0 - 1.0; }\n";
    code << "int main(void) {\n";
    for (std::size_t k = 0; k < names_.size(); ++k) {
      const std::string m = "m" + std::to_string(k);
      // Input and output in one array: they may overlap.
      code << "  { " << m << "_state s; int t, k; " << type << " z[" << m << "_INPUT_SIZE + " << m
           << "_OUTPUT_SIZE]; u = 7u; " << m << "_reset(&s);\n    for (t = 0; t < " << steps
           << "; ++t) { for (k = 0; k < " << m << "_INPUT_SIZE; ++k) z[k] = (" << type << ")next(); " << m
           << "_step(&s, z, z); for (k = 0; k < " << m
           << "_OUTPUT_SIZE; ++k) printf(\"%.17g\\n\", (double)z[k]); } }\n";
    }
    code << "  return 0;\n}\n";
    code.close();
    const std::string command = std::string(compiler) + " " + options + " -o " + program + " " + source + " -lm && " +
                                program + " > " + program + ".txt";
    REQUIRE(std::system(command.c_str()) == 0);
    std::ifstream output(program + ".txt");
    for (std::size_t k = 0; k < names_.size(); ++k) {
      double worst = 0;
      for (const double expected : expected_[k]) {
        std::string number;
        REQUIRE(std::getline(output, number));
        const double found = std::strtod(number.c_str(), nullptr);
        if (std::isnan(expected) || std::isinf(expected)) {
          CHECK((std::isnan(expected) ? std::isnan(found) : found == expected));
        } else {
          worst = std::max(worst, std::abs(found - expected) / std::max(1.0, std::abs(expected)));
        }
      }
      INFO(names_[k]);
      // A layer norm of few numbers that are nearly equal magnifies every rounding.
      CHECK(worst <= (names_[k].find("groups") == std::string::npos ? tolerance : 20 * tolerance));
    }
  }

 private:
  std::filesystem::path folder_;
  std::vector<std::string> names_;
  std::vector<std::vector<double>> expected_;
};

const std::string strict = "-std=c99 -Wall -Wextra -pedantic -Wconversion -Wno-sign-conversion -Werror -O1";

}  // namespace

TEMPLATE_TEST_CASE("every cell and model in C", "[c]", float, double) {
  using T = TestType;
  const saved::Folder folder;
  Program<T> program(folder.path);
  graphs::for_each_cell<T>(3, 5, [&](const std::string& name, auto& cell, std::size_t features) {
    program.add(name, nn::step_graph<T>(cell, {.input_size = features}));
  });
  graphs::for_each_model<T>(3, 5, [&](const std::string& name, auto& model, std::size_t, auto) {
    program.add(name, nn::step_graph<T>(model));
  });
  nn::Generator generator(1);
  graphs::SteppedModel<T> stepped(3, 33, generator);
  program.add("stepped", nn::step_graph<T>(stepped));
  nn::LSTMCell<T> wide({.input_size = 1, .hidden_size = 20}, generator);
  program.add("wide", nn::step_graph<T>(wide));
  nn::Sequential characters(nn::Embedding<T>(7, 3, generator), nn::Linear<T>(3, 2, generator));
  program.add("embedding", nn::step_graph<T>(characters));
  const double tolerance = sizeof(T) == 4 ? 4e-6 : 1e-13;
  program.check(strict, tolerance);
  program.check("-x c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -O2", tolerance, ".cc");
  if (sizeof(T) == 4) {
    std::string libm = strict;
    for (int k = 0; k < 60; ++k) libm += " -Dm" + std::to_string(k) + "_LIBM";
    program.check(libm, tolerance);
  }
}

TEMPLATE_TEST_CASE("every op in C", "[c]", float, double) {
  using T = TestType;
  const saved::Folder folder;
  Program<T> program(folder.path);
  std::set<std::string> written;
  for (const auto& op : autograd::graph_ops<T>()) {
    if (!op.elementwise) continue;
    program.add(std::string(op.name()), graphs::elementwise_graph<T>(op));
    written.insert(std::string(op.name()));
  }
  graphs::for_each_structural<T>([&](const std::string& name, const Graph<T>& graph) {
    program.add(name, graph);
    written.insert(name);
  });
  for (const auto& op : autograd::graph_ops<T>()) {
    INFO(op.name());
    CHECK(written.count(std::string(op.name())));
  }
  program.check(strict, sizeof(T) == 4 ? 4e-6 : 1e-13);
}

TEST_CASE("states that change places, in C", "[c]") {
  const saved::Folder folder;
  Program<double> program(folder.path);
  using V = nn::Variable<double>;
  using States = std::vector<V>;
  const auto zeros = [](nn::Tape<double>& tape, std::size_t batch) {
    return States{tape.constant({batch, 1}, 1.0), tape.constant({batch, 1}, 2.0), tape.constant({batch, 1}, 3.0)};
  };
  const auto add = [&](const char* name, auto f) {
    program.add(name, nn::step_graph<double>(f, zeros, {.input_size = 1}));
  };
  add("delay", [](V x, const States& s) { return std::pair{s[2], States{x, s[0], s[1]}}; });
  add("exchange", [](V x, const States& s) {
    return std::pair{s[0] * 100 + s[1] * 10 + s[2] + x, States{s[1], s[0], s[2]}};
  });
  add("old value", [](V x, const States& s) {
    const V sum = s[0] * 0.5 + x;
    return std::pair{s[0], States{sum, s[1] * 0.5 + s[0], sum}};
  });
  program.check(strict, 1e-14);
}

TEST_CASE("a second of an amplifier's sound in C", "[c]") {
  const saved::Folder folder;
  nn::Generator generator(5);
  nn::Sequential model(nn::LSTM<float>({.input_size = 1, .hidden_size = 16}, generator),
                       nn::Linear<float>(16, 1, generator));
  const Graph<float> graph = nn::step_graph(model);
  save_c(graph, folder.path / "amp.h");
  std::ofstream(folder.path / "main.c")
      << "#include <stdio.h>\n#include \"amp.h\"\nint main(void) { amp_state s; unsigned u = 7u; int t; "
         "amp_reset(&s);\n"
         "for (t = 0; t < 48000; ++t) { float z; u = u * 1664525u + 1013904223u; z = (float)((double)(u >> 8) / "
         "8388608.0 - "
         "1.0); amp_step(&s, &z, &z); printf(\"%.9g\\n\", (double)z); }\nreturn 0; }\n";
  const std::string program = (folder.path / "main").string();
  REQUIRE(std::system((std::string(compiler) + " " + strict + " -O3 -o " + program + " " + program + ".c -lm && " +
                       program + " > " + program + ".txt")
                          .c_str()) == 0);
  std::ifstream output(program + ".txt");
  double worst = 0, found = 0;
  for (const double expected : answers(graph, 48000)) {
    REQUIRE(output >> found);
    worst = std::max(worst, std::abs(found - expected));
  }
  CHECK(worst <= 1e-6);
}

TEST_CASE("what C can not hold is refused", "[c]") {
  nn::Generator generator(1);
  nn::Linear<float> linear(2, 1, generator);
  const Graph<float> graph = nn::step_graph(linear);
  for (const char* name : {"", "2x", "a-b", "for", "\xc3\xa4"})
    CHECK_THROWS_WITH(c_source(graph, name), ContainsSubstring("is no name of C"));
  Graph<float> two = graph;
  two.outputs.push_back({"z", two.outputs[0].value});
  CHECK_THROWS_WITH(c_source(two, "m"), ContainsSubstring("1 inputs and 2 outputs"));
  const saved::Folder folder;
  CHECK_THROWS_AS(save_c(two, folder.path / "m.h"), ValueError);
  CHECK(std::filesystem::is_empty(folder.path));
  save_c(graph, folder.path / "my amp-2.h");
  std::ifstream file(folder.path / "my amp-2.h");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  CHECK_THAT(text, ContainsSubstring("my_amp_2_step("));
}
