// Every module of the library and every option, cells and models of a user's, in every format: what is read back
// answers as the tape does, or it is refused with a text that names the module.
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <tuple>

#include "autograd/error.hpp"
#include "autograd/ops/softmax.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "networks.hpp"
#include "nn/audit/input_gated_cell.hpp"
#include "nn/graph/graph_file.hpp"
#include "nn/graph/step_graph.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/infer/packed.hpp"
#include "nn/io/formats/table.hpp"
#include "nn/io/save_load.hpp"
#include "nn/nn.hpp"

using namespace networks;
using namespace nn::io;
using autograd::FormatError;
using autograd::Tape;
using autograd::ValueError;
using autograd::Variable;
using nn::infer::evaluate;
using saved::Folder;

namespace {

using V = Variable<double>;

/// A user's module, without a description.
struct UserCell {
  std::size_t hidden;
  nn::Linear<double> mix;
  V operator()(V x, V h) { return tanh(mix(autograd::concat({x, h}, 1))); }
  V zero_state(Tape<double>& tape, std::size_t batch) const { return tape.constant({batch, hidden}, 0); }
  static void visit(auto& self, auto&& visitor) { visitor("mix", self.mix); }
};

/// Of layers that would make a row.
struct UserGates {
  nn::Linear<double> a, b, c, d;
  V operator()(V x, V h) {
    const V f = sigmoid(a(x) + b(h));
    return (1 - f) * h + f * tanh(c(x) + d(f * h));
  }
  V zero_state(Tape<double>& tape, std::size_t batch) const { return tape.constant({batch, 4}, 0); }
  static void visit(auto& self, auto&& visitor) {
    visitor("a", self.a);
    visitor("b", self.b);
    visitor("c", self.c);
    visitor("d", self.d);
  }
};

/// With parameters under PyTorch's names, but equations of its own.
struct OwnEquations : nn::RecurrentWeights<double> {
  using RecurrentWeights::RecurrentWeights;
  V operator()(V x, V h) {
    return sin(autograd::linear(x, x.tape().parameter(weight_ih)) + autograd::linear(h, h.tape().parameter(weight_hh)));
  }
  V zero_state(Tape<double>& tape, std::size_t batch) const { return zeros(tape, batch); }
};

template <class... Parts>
struct Holder {
  std::tuple<Parts...> parts;
  template <std::size_t k>
  auto& part() {
    return std::get<k>(parts);
  }
  static void visit(auto& self, auto&& visitor) {
    std::apply(
        [&](auto&... each) {
          int k = 0;
          (visitor("part_" + std::string(1, static_cast<char>('a' + k++)), each), ...);
        },
        self.parts);
  }
};
template <class... Parts>
Holder<Parts...> holder(Parts... parts) {
  return {{std::move(parts)...}};
}

/// A holder with an operator() of its own.
template <class H, class F>
struct Called : H {
  F f;
  V operator()(V x) { return f(static_cast<H&>(*this), x); }
};
template <class H, class F>
Called<H, F> called(H holder, F f) {
  return {std::move(holder), f};
}
template <class H, class F>
struct Forward : H {
  F f;
  V forward(V x) { return f(static_cast<H&>(*this), x); }
};
template <class H, class F>
struct Final final : H {
  F f;
  V operator()(V x) { return f(static_cast<H&>(*this), x); }
};
/// Its operator() takes more than a Variable, so nobody can try it.
template <class H>
struct TwoArguments : H {
  V operator()(V x, int) { return x; }
};
template <class H>
struct SaysSequential : TwoArguments<H> {
  nn::Description describe() const { return {"Sequential"}; }
};
template <class H>
struct Named : H {
  nn::Description describe() const { return {"Network of mine"}; }
};
struct Softmax {
  V operator()(V x) { return softmax(x); }
  static void visit(auto&, auto&&) {}
};

struct Shared {
  std::shared_ptr<nn::Linear<double>> layer;
  V operator()(V x) { return (*layer)(x); }
  static void visit(auto& self, auto&& visitor) { visitor("layer", *self.layer); }
};

struct Entry {
  std::string name;
  std::vector<std::string> refusal;  ///< one of these is in the text if it is no row of layers; empty for one that is
  std::size_t features;
  std::function<Tensor(const Tensor&)> tape;
  std::function<void(Format, const std::filesystem::path&)> save;
  std::function<void(Format, const std::filesystem::path&)> save_tested;
  std::function<Network()> network;
  std::function<bool(Format, const std::filesystem::path&)> comes_back;
  std::function<std::optional<autograd::Graph<double>>()> graph;  ///< none of what is no model of steps by its type
};

nn::Generator generator(5);
std::vector<Entry> entries;

/// run(module, x (time, 1, features)) is (time, 1, outputs).
template <class M, class F>
void add(const std::string& name, std::size_t features, std::vector<std::string> refusal, M made, F run) {
  const auto module = std::make_shared<M>(std::move(made));
  entries.push_back({name, std::move(refusal), features,
                     [=](const Tensor& input) {
                       Tape<double> tape;
                       auto x = autograd::make_array<double>({input.shape[0], 1, input.shape[1]});
                       std::copy(input.values.begin(), input.values.end(), x.data());
                       const V y = run(*module, tape.constant(x));
                       const auto& values = y.value();
                       return Tensor{{y.shape()[0], y.shape()[2]}, {values.data(), values.data() + values.size()}};
                     },
                     [=](Format format, const std::filesystem::path& path) { save(*module, path, {.format = format}); },
                     [=](Format format, const std::filesystem::path& path) {
                       save(*module, path, {.format = format, .self_test = true});
                     },
                     [=] { return network_of(std::as_const(*module)); },
                     [=](Format format, const std::filesystem::path& path) {
                       M other = *module;
                       nn::for_each_parameter(
                           other, [](const std::string&, auto& p) { p.update([](auto& values) { values.fill(0); }); });
                       load(other, path, {.format = format});
                       return saved::bits(other) == saved::bits(*module);
                     },
                     [=]() -> std::optional<autograd::Graph<double>> {
                       M copy = *module;
                       if constexpr (nn::detail::Steppable<M, double>)
                         return nn::step_graph<double>(copy, {.input_size = features});
                       else
                         return {};
                     }});
}

const auto call = [](auto& module, V x) { return module(x); };
const auto output = [](auto& module, V x) { return module(x).output; };

void add_layers() {
  using nn::Nonlinearity;
  const auto lstm = [](const std::string& name, nn::LayersOptions options, std::vector<std::string> refusal = {}) {
    add("LSTM " + name, options.input_size, std::move(refusal), nn::LSTM<double>(options, generator), output);
  };
  lstm("input_size hidden_size", {.input_size = 3, .hidden_size = 4});
  lstm("num_layers", {.input_size = 3, .hidden_size = 4, .num_layers = 2});
  lstm("bias", {.input_size = 3, .hidden_size = 4, .bias = false});
  lstm("bidirectional", {.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true});
  lstm("proj_size", {.input_size = 3, .hidden_size = 4, .proj_size = 2});
  lstm("dropout", {.input_size = 3, .hidden_size = 4, .num_layers = 2, .dropout = 0.5});
  lstm("input_dropout", {.input_size = 3, .hidden_size = 4, .input_dropout = 0.5});
  lstm("recurrent_dropout", {.input_size = 3, .hidden_size = 4, .recurrent_dropout = 0.5});
  lstm("residual", {.input_size = 4, .hidden_size = 4, .residual = true}, {"residual"});
  lstm("forget_bias", {.input_size = 3, .hidden_size = 4, .forget_bias = 1});
  lstm("name", {.input_size = 3, .hidden_size = 4, .name = "x"});
  add("LSTM batch_first", 3, {}, nn::LSTM<double>({.input_size = 3, .hidden_size = 4, .batch_first = true}, generator),
      [](auto& module, V x) { return transpose(module(transpose(x, 0, 1)).output, 0, 1); });

  const auto layers = [](const std::string& name, nn::LayersOptions options, std::vector<std::string> refusal = {}) {
    const std::string& with = name;
    if (options.batch_first) {
      const auto run = [](auto& module, V x) { return transpose(module(transpose(x, 0, 1)).output, 0, 1); };
      add("GRU " + with, options.input_size, refusal, nn::GRU<double>(options, generator), run);
      add("RNN " + with, options.input_size, refusal, nn::RNN<double>(options, generator), run);
      return;
    }
    add("GRU " + with, options.input_size, refusal, nn::GRU<double>(options, generator), output);
    add("RNN " + with, options.input_size, refusal, nn::RNN<double>(options, generator), output);
  };
  layers("input_size hidden_size", {.input_size = 3, .hidden_size = 4});
  layers("num_layers", {.input_size = 3, .hidden_size = 4, .num_layers = 2});
  layers("bias", {.input_size = 3, .hidden_size = 4, .bias = false});
  layers("batch_first", {.input_size = 3, .hidden_size = 4, .batch_first = true});
  layers("bidirectional", {.input_size = 3, .hidden_size = 4, .bidirectional = true});
  layers("dropout", {.input_size = 3, .hidden_size = 4, .num_layers = 2, .dropout = 0.5});
  layers("input_dropout", {.input_size = 3, .hidden_size = 4, .input_dropout = 0.5});
  layers("recurrent_dropout", {.input_size = 3, .hidden_size = 4, .recurrent_dropout = 0.5});
  layers("residual", {.input_size = 4, .hidden_size = 4, .residual = true}, {"residual"});
  layers("name", {.input_size = 3, .hidden_size = 4, .name = "x"});

  for (int k = 0; k <= static_cast<int>(Nonlinearity::softmax); ++k) {
    const auto f = static_cast<Nonlinearity>(k);
    const std::string by = nn::name(f);
    const auto unless = [&](Nonlinearity usual) {
      return f == usual ? std::vector<std::string>() : std::vector<std::string>{by};
    };
    lstm("nonlinearities gate " + by, {.input_size = 3, .hidden_size = 4, .nonlinearities = {.gate = f}},
         unless(Nonlinearity::sigmoid));
    lstm("nonlinearities candidate " + by, {.input_size = 3, .hidden_size = 4, .nonlinearities = {.candidate = f}},
         unless(Nonlinearity::tanh));
    lstm("nonlinearities hidden " + by, {.input_size = 3, .hidden_size = 4, .nonlinearities = {.hidden = f}},
         unless(Nonlinearity::tanh));
    add("GRU nonlinearities gate " + by, 3, unless(Nonlinearity::sigmoid),
        nn::GRU<double>({.input_size = 3, .hidden_size = 4, .nonlinearities = {.gate = f}}, generator), output);
    add("GRU nonlinearities candidate " + by, 3, unless(Nonlinearity::tanh),
        nn::GRU<double>({.input_size = 3, .hidden_size = 4, .nonlinearities = {.candidate = f}}, generator), output);
    const bool usual = f == Nonlinearity::tanh || f == Nonlinearity::relu;
    add("RNN nonlinearities hidden " + by, 3, usual ? std::vector<std::string>() : std::vector<std::string>{by},
        nn::RNN<double>({.input_size = 3, .hidden_size = 4, .nonlinearities = {.hidden = f}}, generator), output);
  }
  add("Linear", 3, {}, nn::Linear<double>(3, 2, generator), call);
  add("Linear without bias", 3, {}, nn::Linear<double>(3, 2, generator, false), call);
  const auto layered = [](const std::string& name, std::vector<std::string> refusal, auto make) {
    using Cell = decltype(make(std::size_t{}));
    const auto add_with = [&](const std::string& option, std::size_t features, bool residual,
                              std::vector<std::string> names) {
      add("RecurrentLayers " + name + option, features, std::move(names),
          nn::RecurrentLayers<double, Cell>(
              "mine", {.input_size = features, .hidden_size = 4, .num_layers = 2, .residual = residual}, 4, make),
          output);
    };
    add_with("", 3, false, std::move(refusal));
    add_with(" residual", 4, true, {"the model"});
  };
  // Without a description: they are tried, and are the layers that their names say or none.
  layered("LSTMCell", {},
          [](std::size_t in) { return nn::LSTMCell<double>({.input_size = in, .hidden_size = 4}, generator); });
  layered("GRUCell", {},
          [](std::size_t in) { return nn::GRUCell<double>({.input_size = in, .hidden_size = 4}, generator); });
  layered("GRUResetBeforeCell", {"the model"}, [](std::size_t in) {
    return nn::GRUResetBeforeCell<double>({.input_size = in, .hidden_size = 4}, generator);
  });
  layered("RNNCell relu", {"the model"}, [](std::size_t in) {
    return nn::RNNCell<double>(
        {.input_size = in, .hidden_size = 4, .nonlinearities = {.hidden = nn::Nonlinearity::relu}}, generator);
  });
  layered("a user's cell", {"the model"}, [](std::size_t in) {
    return UserCell{4, nn::Linear<double>(in + 4, 4, generator)};
  });
  layered("a user's cell with PyTorch's names", {"the model"}, [](std::size_t in) {
    return OwnEquations({.name = "mine"}, nn::CellOptions{.input_size = in, .hidden_size = 4}, generator);
  });
}

void add_cells() {
  const auto recurrent = [](const std::string& name, std::vector<std::string> refusal, auto cell,
                            const nn::RecurrentOptions& options = {}, std::size_t features = 3) {
    add(name, features, std::move(refusal), nn::Recurrent<decltype(cell)>(std::move(cell), options), output);
  };
  const nn::CellOptions options{.input_size = 3, .hidden_size = 4};
  const nn::CellOptions square{.input_size = 4, .hidden_size = 4};
  recurrent("LSTMCell", {}, nn::LSTMCell<double>({.input_size = 3, .hidden_size = 4}, generator));
  recurrent("LSTMCell proj_size", {},
            nn::LSTMCell<double>({.input_size = 3, .hidden_size = 4, .proj_size = 2}, generator));
  recurrent("LSTMCell nonlinearities", {"relu"},
            nn::LSTMCell<double>(
                {.input_size = 3, .hidden_size = 4, .nonlinearities = {.hidden = nn::Nonlinearity::relu}}, generator));
  recurrent("Recurrent reverse", {"reverse"}, nn::LSTMCell<double>(square, generator), {.reverse = true}, 4);
  recurrent("Recurrent residual", {"residual"}, nn::LSTMCell<double>(square, generator), {.residual = true}, 4);
  recurrent("Recurrent input_dropout", {}, nn::LSTMCell<double>(square, generator), {.input_dropout = 0.5}, 4);
  recurrent("Recurrent recurrent_dropout", {}, nn::LSTMCell<double>(square, generator), {.recurrent_dropout = 0.5}, 4);
  recurrent("GRUCell", {}, nn::GRUCell<double>(options, generator));
  recurrent("GRUResetBeforeCell", {}, nn::GRUResetBeforeCell<double>(options, generator));
  recurrent("RNNCell", {}, nn::RNNCell<double>(options, generator));
  recurrent("RNNCell relu", {},
            nn::RNNCell<double>(
                {.input_size = 3, .hidden_size = 4, .nonlinearities = {.hidden = nn::Nonlinearity::relu}}, generator));
  recurrent("RNNCell elu", {"elu"},
            nn::RNNCell<double>(
                {.input_size = 3, .hidden_size = 4, .nonlinearities = {.hidden = nn::Nonlinearity::elu}}, generator));
  recurrent("PeepholeLSTMCell", {"PeepholeLSTMCell"}, nn::PeepholeLSTMCell<double>(options, generator));
  recurrent("CoupledLSTMCell", {"CoupledLSTMCell"}, nn::CoupledLSTMCell<double>(options, generator));
  recurrent("MinimalGatedCell", {"MinimalGatedCell"}, nn::MinimalGatedCell<double>(options, generator));
  recurrent("InputGatedCell", {"InputGatedCell"},
            nn::InputGatedCell<double>({.input_size = 3, .hidden_size = 4}, generator));
  recurrent("LSTMVariantCell", {"LSTMVariantCell"},
            nn::LSTMVariantCell<double>({.input_size = 3, .hidden_size = 4}, generator));
  recurrent("LearnedState", {"LearnedState"},
            nn::LearnedState<double, nn::GRUCell<double>>(nn::GRUCell<double>(options, generator)));
  recurrent("a user's cell", {"cell"}, UserCell{4, nn::Linear<double>(7, 4, generator)});
  recurrent("a user's cell with PyTorch's names", {"cell"}, OwnEquations({.name = "mine"}, options, generator));
  recurrent("a user's learned state", {"LearnedState"},
            nn::LearnedState<double, UserCell>(UserCell{4, nn::Linear<double>(7, 4, generator)}));
}

void add_models() {
  const auto row = [] {
    return holder(nn::LSTM<double>({.input_size = 1, .hidden_size = 8}, generator),
                  nn::Linear<double>(8, 1, generator));
  };
  const auto square = [] { return holder(nn::Linear<double>(2, 2, generator), nn::Linear<double>(2, 2, generator)); };
  const auto in_a_row = [](auto& m, V x) { return m.template part<1>()(m.template part<0>()(x).output); };
  const auto then_softmax = [](auto& m, V x) { return softmax(m.template part<1>()(m.template part<0>()(x))); };
  const auto parallel = [](auto& m, V x) { return m.template part<0>()(x) + m.template part<1>()(x); };
  const auto skipping = [](auto& m, V x) { return x + m.template part<1>()(m.template part<0>()(x).output); };
  const auto swapped = [](auto& m, V x) { return m.template part<0>()(m.template part<1>()(x)); };

  add("a row", 1, {}, row(), in_a_row);
  add("a row that runs itself", 1, {}, called(row(), in_a_row), call);
  add("a row by forward()", 1, {}, Forward<decltype(row()), decltype(in_a_row)>{row(), in_a_row},
      [](auto& m, V x) { return m.forward(x); });
  add("a row that is final", 1, {}, Final<decltype(row()), decltype(in_a_row)>{row(), in_a_row}, call);
  add("a row by its description", 1, {}, SaysSequential<decltype(row())>{row()}, in_a_row);
  add("a row with Dropout", 2, {},
      holder(nn::Linear<double>(2, 2, generator), nn::Dropout<double>(0.5), nn::Linear<double>(2, 2, generator)),
      [](auto& m, V x) { return m.template part<2>()(m.template part<0>()(x)); });
  add("rows in a row", 1, {}, holder(called(row(), in_a_row), called(row(), in_a_row)),
      [](auto& m, V x) { return m.template part<1>()(m.template part<0>()(x)); });
  add("softmax after all", 2, {"the model"}, called(square(), then_softmax), call);
  add("softmax by forward()", 2, {"the model"},
      Forward<decltype(square()), decltype(then_softmax)>{square(), then_softmax},
      [](auto& m, V x) { return m.forward(x); });
  add("two Linear in parallel", 2, {"the model"}, called(square(), parallel), call);
  add("two Linear in the other order", 2, {"the model"}, called(square(), swapped), call);
  add("a sum with the input", 1, {"the model"}, called(row(), skipping), call);
  add("a block that is no row", 2, {"part_a"}, holder(called(square(), parallel), nn::Linear<double>(2, 2, generator)),
      [](auto& m, V x) { return m.template part<1>()(m.template part<0>()(x)); });
  add("an activation of a user's", 2, {"part_b"},
      holder(nn::Linear<double>(2, 2, generator), Softmax{}, nn::Linear<double>(2, 2, generator)),
      [](auto& m, V x) { return m.template part<2>()(m.template part<1>()(m.template part<0>()(x))); });
  add("a model that can not be tried", 1, {"the model"}, TwoArguments<decltype(row())>{row()}, in_a_row);
  add("a described model of an unknown type", 1, {"Network of mine"}, Named<decltype(row())>{row()}, in_a_row);
  add("Sequential", 1, {},
      nn::Sequential(nn::LSTM<double>({.input_size = 1, .hidden_size = 8}, generator), nn::Dropout<double>(0.5),
                     nn::Linear<double>(8, 1, generator)),
      call);
  add("Sequential with a LayerNorm", 2, {"LayerNorm"},
      nn::Sequential(nn::Linear<double>(2, 2, generator), nn::LayerNorm<double>(2),
                     nn::Linear<double>(2, 2, generator)),
      call);
  add("an Embedding", 2, {"part_b"},
      holder(nn::Linear<double>(2, 2, generator), nn::Embedding<double>(5, 2, generator)),
      [](auto& m, V x) { return m.template part<0>()(x); });
  add("a user's cell in a model", 2, {"part_a.cell"},
      holder(nn::Recurrent<UserCell>(UserCell{4, nn::Linear<double>(6, 4, generator)}),
             nn::Linear<double>(4, 1, generator)),
      in_a_row);
  const auto gates = [] {
    const auto layer = [] { return nn::Linear<double>(4, 4, generator); };
    return holder(nn::Recurrent<UserGates>(UserGates{layer(), layer(), layer(), layer()}),
                  nn::Linear<double>(4, 1, generator));
  };
  add("a user's gates in a model", 4, {"part_a.cell"}, gates(), in_a_row);
  add("a user's gates in a model that runs itself", 4, {"the model", "part_a.cell"}, called(gates(), in_a_row), call);
  add("a user's cell run by hand", 2, {"part_a"},
      holder(UserCell{4, nn::Linear<double>(6, 4, generator)}, nn::Linear<double>(4, 1, generator)), [](auto& m, V x) {
        auto& cell = m.template part<0>();
        V h = cell.zero_state(x.tape(), 1);
        std::vector<V> outputs;
        for (std::size_t t = 0; t < x.shape()[0]; ++t)
          outputs.push_back(h = cell(select(x, 0, static_cast<autograd::Index>(t)), h));
        return m.template part<1>()(autograd::stack(std::span<const V>(outputs), 0));
      });
}

const std::vector<Entry>& all_entries() {
  if (entries.empty()) {
    add_layers();
    add_cells();
    add_models();
  }
  return entries;
}

/// All of the enumeration, which ends where there is no name.
std::vector<Format> all_formats() {
  std::vector<Format> result;
  for (int k = 0;; ++k) try {
      nn::io::name(static_cast<Format>(k));
      result.push_back(static_cast<Format>(k));
    } catch (const ValueError&) {
      return result;
    }
}

Tensor question(std::size_t features) {
  Random random(11);
  return random.tensor({15, features});
}

bool names_one_of(const std::string& text, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& name) { return text.find(name) != std::string::npos; });
}

}  // namespace

TEST_CASE("every module in every format comes back as the tape has it, or is refused by name") {
  const std::vector<Format> formats = all_formats();
  REQUIRE(formats.size() >= 10);
  std::map<Format, int> compared;
  for (const Entry& entry : all_entries()) {
    const Tensor input = question(entry.features);
    const Tensor expected = entry.tape(input);
    for (const Format format : formats) {
      INFO(entry.name << " as " << name(format));
      const bool any = formats::holds_names(format);
      const Folder folder;
      const auto path = folder.path / "model";
      std::string refused;
      try {
        entry.save(format, path);
      } catch (const ValueError& error) {
        refused = error.what();
        INFO(refused);
        CHECK(!any);
        CHECK(refused.starts_with(std::string("save (") + name(format) + "): "));
        CHECK_FALSE(std::filesystem::exists(path));
      }
      if (any) CHECK(entry.comes_back(format, path));
      if (refused.empty()) try {
          const Network network = load(path, {.format = format});
          CHECK(entry.refusal.empty());
          CHECK(largest_difference(evaluate(network, input), expected) < 2e-6);
          ++compared[format];
        } catch (const FormatError& error) {
          CHECK(any);
          refused = error.what();
        }
      INFO(refused);
      if (!entry.refusal.empty()) {
        CHECK(names_one_of(refused, entry.refusal));
        CHECK_THROWS_AS(entry.save_tested(format, path), ValueError);
      }
    }
  }
  for (const Format format : formats) {
    INFO(name(format));
    CHECK(compared[format] > 0);
  }
}

TEST_CASE("every module as a Stream answers as the tape does, or is refused by name") {
  int streamed = 0;
  for (const Entry& entry : all_entries()) {
    INFO(entry.name);
    const Tensor input = question(entry.features);
    try {
      const Network network = entry.network();
      CHECK(entry.refusal.empty());
      CHECK(largest_difference(evaluate(network, input), entry.tape(input)) < 1e-12);
      nn::infer::Stream<double> stream(network);
      Tensor output = zero_tensor({input.shape[0], stream.output_size()});
      stream.run(input.values.data(), output.values.data(), input.shape[0]);
      CHECK(largest_difference(output, entry.tape(input)) < 1e-12);
      ++streamed;
    } catch (const ValueError& error) {
      INFO(error.what());
      CHECK(names_one_of(error.what(),
                         entry.refusal.empty() ? std::vector<std::string>{"bidirectional"} : entry.refusal));
    }
  }
  CHECK(streamed > 30);
}

TEST_CASE("every module as a graph, in every form that graphs have, answers as the tape does, or is refused by name") {
  const Folder folder;
  const auto path = folder.path / "graph";
  int ran = 0;
  for (const Entry& entry : all_entries()) {
    INFO(entry.name);
    const Tensor input = question(entry.features);
    std::optional<autograd::Graph<double>> graph;
    try {
      graph = entry.graph();
    } catch (const ValueError& error) {
      INFO(error.what());
      CHECK(names_one_of(error.what(), {"bidirectional", "in reverse", "carries a state from step to step"}));
      continue;
    }
    if (!graph) continue;
    const Tensor expected = entry.tape(input);
    const auto differs = [&](const autograd::Graph<double>& form) {
      nn::infer::Stream<double> stream(form);
      Tensor output = zero_tensor({input.shape[0], stream.output_size()});
      stream.run(input.values.data(), output.values.data(), input.shape[0]);
      return largest_difference(output, expected);
    };
    CHECK(differs(*graph) < 1e-12);
    save_graph(*graph, path);
    CHECK(differs(load_graph<double>(path)) < 1e-12);
    CHECK(differs(nn::infer::unpacked<double>(nn::infer::packed(*graph))) < 1e-12);
    ++ran;
  }
  CHECK(ran > 100);
}

TEST_CASE("the table of modules is that of the library's headers") {
  const std::filesystem::path headers = WENGERT_NN_DIR;
  std::set<std::string> modules, covered;
  std::map<std::string, std::set<std::string>> options;
  std::vector<std::filesystem::path> files;
  for (const char* room : {"", "recurrent", "audit"})
    for (const auto& file : std::filesystem::directory_iterator(headers / room))
      if (file.path().extension() == ".hpp") files.push_back(file.path());
  for (const std::filesystem::path& file : files) {
    std::ifstream stream(file);
    std::string line, type;
    while (std::getline(stream, line)) {
      if (line.find("//") == 0) continue;
      std::smatch match;
      if (std::regex_search(line, match, std::regex(R"(^(?:struct|class) (\w+))"))) type = match[1];
      if (line.find("static void visit(auto") != std::string::npos ||
          line.find("describe() const") != std::string::npos)
        modules.insert(type);
      if (type.ends_with("Options") && std::regex_search(line, match, std::regex(R"(^  [\w:]+ (\w+)(?: = [^;]*)?;)")))
        options[type].insert(match[1]);
    }
  }
  for (const Entry& entry : all_entries())
    for (const std::string& module : modules)
      if (std::regex_search(entry.name, std::regex("\\b" + module + "\\b"))) covered.insert(module);
  covered.insert({"RecurrentWeights", "HiddenLayers"});  // what cells and layers have in common
  covered.insert("Recurrent");                           // around every cell
  modules.erase("");
  CHECK(modules == covered);
  REQUIRE(options["LayersOptions"].size() >= 12);
  REQUIRE(options["LayersOptions"].size() >= 10);
  REQUIRE(options["RecurrentOptions"].size() == 4);
  for (const auto& [type, prefixes] : std::map<std::string, std::vector<std::string>>{
           {"LayersOptions", {"LSTM"}}, {"LayersOptions", {"GRU", "RNN"}}, {"RecurrentOptions", {"Recurrent"}}})
    for (const std::string& option : options[type])
      for (const std::string& prefix : prefixes) {
        INFO(prefix << " " << option);
        const std::regex wanted("^" + prefix + " (.* )?" + option + "\\b");
        CHECK(std::any_of(entries.begin(), entries.end(),
                          [&](const Entry& entry) { return std::regex_search(entry.name, wanted); }));
      }
}

TEST_CASE("a module that is tried is not touched, nor is what it shares") {
  Shared model{std::make_shared<nn::Linear<double>>(2, 2, generator)};
  const std::string before = saved::state(*model.layer);
  CHECK(network_of(model).layers.size() == 1);
  CHECK(saved::state(*model.layer) == before);
}

TEST_CASE("a format outside the enumeration") {
  const auto none = static_cast<Format>(77);
  const Network network = random_network(1, {{lstm, 3}, {linear, 1}});
  CHECK_THROWS_AS(to_bytes(network, {.format = none}), ValueError);
  CHECK_THROWS_AS(nn::io::from_bytes("{}", {.format = none}), ValueError);
  CHECK_THROWS_AS(nn::io::description(none), ValueError);
  CHECK_THROWS_AS(nn::name(static_cast<nn::Nonlinearity>(77)), ValueError);
  CHECK_THROWS_AS(nn::io::name(static_cast<Layer::Kind>(77)), ValueError);
}
