// One harness for every op: whatever has samples is tested here, with nothing to add.
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "allocations.hpp"
#include "autograd/autograd.hpp"
#include "catch.hpp"
#include "ledger.hpp"
#include "samples/samples.hpp"
#include "support.hpp"

using namespace autograd;
using namespace autograd::testing;

namespace {

template <class T>
const Call<T>& call_of(const Sample& sample) {
  if constexpr (std::same_as<T, double>)
    return sample.call;
  else
    return sample.call_float;
}

std::string describe(const RegisteredOp& op, const Sample& sample) {
  std::string text = std::string(op.info->name) + ": " + sample.description + " of";
  for (const Shape& shape : sample.inputs) text += " " + to_string(shape);
  return text;
}

std::vector<Array<double>> draw(const std::vector<Shape>& shapes, Interval domain, Generator& generator) {
  std::vector<Array<double>> inputs;
  for (const Shape& shape : shapes) inputs.push_back(random_array(shape, generator, domain));
  return inputs;
}

/// f(op, sample, inputs, generator) for every sample of every op. Each is drawn by itself, whatever others there are.
void for_each_sample(const auto& f) {
  for (const RegisteredOp& op : registered_ops())
    for (const Sample& sample : op.samples) {
      const std::string text = describe(op, sample);
      INFO(text);
      std::uint64_t seed = 20240607;
      for (const char each : text) seed = 31 * seed + static_cast<unsigned char>(each);
      Generator generator(seed);
      f(op, sample, draw(sample.inputs, sample.domain, generator), generator);
    }
}

/// A sample recorded on a tape, ready to be swept.
template <class T>
struct RecordedSample {
  std::vector<Variable<T>> inputs;
  Variable<T> output;

  RecordedSample(Tape<T>& tape, const Call<T>& call, const std::vector<Array<T>>& values) {
    for (const Array<T>& value : values) inputs.push_back(tape.variable(value));
    output = call(inputs);
  }
  bool differentiable() const { return output.needs_gradient(); }
};

/// By backward(); zeros for an output that nothing can be differentiated through.
template <class T>
std::vector<Array<T>> swept(const RecordedSample<T>& recorded, const Array<T>& output_gradient) {
  Tape<T>& tape = recorded.output.tape();
  if (recorded.differentiable()) tape.backward(recorded.output, output_gradient);
  std::vector<Array<T>> result;
  for (const Variable<T>& x : recorded.inputs)
    result.push_back(recorded.differentiable() ? tape.gradient(x) : zeros<T>(x.shape()));
  return result;
}

/// By grad().
template <class T>
std::vector<Array<T>> differentiated(const RecordedSample<T>& recorded, const Array<T>& output_gradient) {
  std::vector<Array<T>> result;
  const auto weights = recorded.output.tape().constant(output_gradient);
  for (const Variable<T>& gradient : grad(recorded.output, std::span<const Variable<T>>(recorded.inputs), weights))
    result.push_back(gradient.copy());
  return result;
}

void check_gradients(const Function& f, const std::vector<Array<double>>& inputs,
                     const GradientCheckOptions& options = {}) {
  const GradientReport report = gradient_check(f, inputs, options);
  INFO(report);
  for (const GradientComparison& comparison : report.comparisons) {
    CHECK(comparison.method == "complex step");
    // Where the derivative is 0, as that of x / x is, both are rounding and there is no norm to measure it by.
    const bool first = comparison.derivative == "gradient";
    if (std::abs(comparison.recorded - comparison.reference) <= (first ? 1e-14 : 1e-12)) continue;
    CHECK(comparison.error <= (first ? 1e-13 : 1e-11));
  }
}

/// Both orders, by the complex step.
void note_gradients(const RegisteredOp& op, Edge edge) {
  ledger().note(op.info->name, edge, Check::gradient);
  ledger().note(op.info->name, edge, Check::second);
}

bool needs_equal_shapes_for_sharing(const Sample& sample) {
  for (const Shape& shape : sample.inputs)
    if (!(shape == sample.inputs[0])) return false;
  return sample.inputs.size() >= 2;
}

}  // namespace

TEST_CASE("every op has a name of its own and samples", "[ops]") {
  std::set<std::string> names;
  for (const RegisteredOp& op : registered_ops()) {
    INFO(op.info->name);
    CHECK(names.insert(op.info->name).second);
    CHECK_FALSE(op.samples.empty());
  }
}

TEST_CASE("every op in the sources is registered", "[ops]") {
  std::set<std::string> registered, found;
  for (const RegisteredOp& op : registered_ops()) registered.insert(op.info->name);
  const std::regex name(R"re(OpInfo\s+\w+\{\s*\.name = "([^"]*)")re");
  for (const char* folder : {WENGERT_OPS_DIR, WENGERT_SAMPLES_DIR})  // rules, and what is made of them
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      const std::string source = text.str();
      std::size_t infos = 0, names = 0;
      for (std::size_t at = 0; (at = source.find("OpInfo ", at)) != std::string::npos; ++at) ++infos;
      for (std::sregex_iterator match(source.begin(), source.end(), name), end; match != end; ++match, ++names)
        found.insert((*match)[1]);
      INFO(entry.path().filename() << " declares an OpInfo without a name that this test can read");
      CHECK(infos == names);
    }
  CHECK(found == registered);
}

TEST_CASE("first and second derivatives of every op agree with the complex step", "[ops]") {
  for_each_sample([](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    check_gradients(sample.call, inputs, {.seed = generator()});
    for (const Edge edge : edges_of(sample)) note_gradients(op, edge);
  });
}

TEST_CASE("every op can be given one variable for all its inputs", "[ops]") {
  std::size_t count = 0;
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    if (!needs_equal_shapes_for_sharing(sample)) return;
    ++count;
    note_gradients(op, Edge::same_operand);
    const auto shared = [&](std::span<const Variable<double>> x) {
      return sample.call(std::vector<Variable<double>>(sample.inputs.size(), x[0]));
    };
    check_gradients(shared, {inputs[0]}, {.seed = generator()});
  });
  CHECK(count >= 70);
}

// Every input is read directly, through a reshape there and back, as its first slice, and as a whole again.
TEST_CASE("every op adds to what other readers of its inputs contribute", "[ops]") {
  for_each_sample([](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    const auto spread = [&](std::span<const Variable<double>> x) {
      std::vector<Variable<double>> twisted;
      Variable<double> beside = x[0].tape().constant(Shape{}, 0.25);
      for (const Variable<double>& each : x) {
        const Shape shape = each.shape();
        twisted.push_back(reshape(reshape(each, {shape.elements()}), shape));
        if (shape.rank() > 0) beside = beside + sum(square(slice(each, 0, 0, 1)));
        beside = beside + sum(square(each));
      }
      return sample.call(x) * sample.call(twisted) + beside;
    };
    check_gradients(spread, inputs, {.seed = generator()});
    note_gradients(op, Edge::fan_out);
  });
}

TEST_CASE("every op takes what comes out of a transpose", "[ops]") {
  for_each_sample([](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    const bool flat = std::all_of(inputs.begin(), inputs.end(), [](const auto& x) { return x.dimension() < 2; });
    if (flat) return;
    const auto turned_back = [&](std::span<const Variable<double>> x) {
      std::vector<Variable<double>> arguments;
      for (const Variable<double>& each : x)
        arguments.push_back(each.shape().rank() < 2 ? each : transpose(transpose(each)));
      return sample.call(arguments);
    };
    check_gradients(turned_back, inputs, {.seed = generator()});
    note_gradients(op, Edge::transposed);
  });
}

// The shapes of a sample with an extent replaced, or all of them scalars: an op takes what comes, or says what is
// wrong.
TEST_CASE("every op takes or refuses scalars and extents of 1 and 0", "[ops]") {
  Tape<double> tape;
  const auto run = [&](const RegisteredOp& op, const Sample& sample, Edge edge, const std::vector<Shape>& shapes,
                       Generator& generator) {
    soil(tape);
    const auto inputs = draw(shapes, sample.domain, generator);
    std::vector<Variable<double>> x;
    for (const Array<double>& input : inputs) x.push_back(tape.variable(input));
    const std::size_t steps = tape.size();
    try {
      sample.call(x);
    } catch (const Error& error) {
      CHECK(std::string(error.what()).size() > 20);
      CHECK(tape.size() >= steps);
      ledger().note(op.info->name, edge, Check::text);
      return;
    } catch (const std::out_of_range&) {
      return;  // the sample asks for a piece that is not there
    }
    const GradientReport report = gradient_check(sample.call, inputs, {.seed = generator()});
    INFO(report);
    for (const GradientComparison& comparison : report.comparisons)
      // A derivative of 0, as that of a cosine between numbers, is rounding on both sides.
      CHECK((std::abs(comparison.recorded - comparison.reference) <= 1e-12 ||
             comparison.error <= (comparison.derivative == "gradient" ? 1e-13 : 1e-11)));
    note_gradients(op, edge);
  };
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto&, Generator& generator) {
    run(op, sample, Edge::scalar, std::vector<Shape>(sample.inputs.size()), generator);
    std::set<std::size_t> extents;
    for (const Shape& shape : sample.inputs) extents.insert(shape.begin(), shape.end());
    for (const auto& [edge, by] : {std::pair<Edge, std::size_t>{Edge::one, 1}, {Edge::empty, 0}})
      for (const std::size_t extent : extents) {
        CAPTURE(extent, by);
        std::vector<Shape> shapes = sample.inputs;
        for (Shape& shape : shapes) std::replace(shape.begin(), shape.end(), extent, by);
        run(op, sample, edge, shapes, generator);
      }
  });
}

namespace {

/// Equal, or NaN both, or near.
/// Of an element that is a small difference of large terms (\p cancels), only the rounding of the terms is the same.
bool alike(const Array<double>& a, const Array<double>& b, bool cancels) {
  if (!(shape_of(a) == shape_of(b))) return false;
  double largest = 0;
  for (const double y : b)
    if (cancels && std::isfinite(y)) largest = std::max(largest, std::abs(y));
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double x = a.data()[k], y = b.data()[k], scale = std::max(std::abs(y), largest);
    const bool near = std::isfinite(y) && std::abs(x - y) <= 1e-9 * scale;
    if (!(x == y || (std::isnan(x) && std::isnan(y)) || near)) return false;
  }
  return true;
}

}  // namespace

// Whatever comes out: both sweeps have to say the same, and not throw.
TEST_CASE("numbers and recorded gradients of every op agree for extreme inputs", "[ops]") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::map<Edge, std::vector<double>> extremes{{Edge::not_a_number, {std::numeric_limits<double>::quiet_NaN()}},
                                                     {Edge::infinite, {infinity, -infinity}},
                                                     {Edge::denormal, {5e-324, -1e-310}},
                                                     {Edge::large, {1e3, -1e3, 1e4, -1e4}}};
  Tape<double> tape;
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    for (const auto& [edge, values] : extremes)
      for (const double value : values) {
        CAPTURE(value);
        auto extreme = inputs;
        for (auto& input : extreme)
          for (std::size_t k = 0; k < input.size(); k += 2) input.data()[k] = value;
        soil(tape);
        const RecordedSample<double> recorded(tape, sample.call, extreme);
        ledger().note(op.info->name, edge, Check::sweeps);
        if (!recorded.differentiable()) continue;
        const Array<double> weights = random_array(recorded.output.shape(), generator);
        const auto numbers = swept(recorded, weights), more_tape = differentiated(recorded, weights);
        const bool cancels = std::string_view(op.info->name) == "cosine_similarity";
        for (std::size_t k = 0; k < inputs.size(); ++k) CHECK(alike(numbers[k], more_tape[k], cancels));
      }
  });
}

TEST_CASE("numbers and recorded gradients of every op agree", "[ops]") {
  Tape<double> tape;
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    soil(tape);
    const RecordedSample<double> recorded(tape, sample.call, inputs);
    const Shape shape = recorded.output.shape();
    const Array<double> random = random_array(shape, generator);

    if (!recorded.differentiable()) {
      CHECK_FALSE(op.info->differentiable);
      CHECK(error_text<TapeError>([&] { tape.backward(recorded.output, random); }) ==
            "backward: the output depends on no variable and no parameter; record its inputs with tape.variable() or "
            "tape.parameter()");
    }
    const auto numbers = swept(recorded, random);
    const auto more_tape = differentiated(recorded, random);
    for (std::size_t k = 0; k < inputs.size(); ++k) CHECK(distance(numbers[k], more_tape[k]) <= 1e-13);

    for (const Edge edge : edges_of(sample)) ledger().note(op.info->name, edge, Check::sweeps);
    ledger().note(op.info->name, Edge::zero_gradient, Check::sweeps);
    for (const Array<double>& gradient : swept(recorded, zeros<double>(shape))) CHECK(all_zero(gradient));
    for (const Array<double>& gradient : differentiated(recorded, zeros<double>(shape))) CHECK(all_zero(gradient));
  });
}

TEST_CASE("every op gives each operand its gradient when the others are constant", "[ops]") {
  Tape<double> tape;
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    soil(tape);
    const RecordedSample<double> all(tape, sample.call, inputs);
    if (!all.differentiable()) return;
    ledger().note(op.info->name, Edge::constant, Check::gradient);
    const Array<double> value = all.output.copy(), weights = random_array(all.output.shape(), generator);
    const auto expected = swept(all, weights);
    for (std::size_t constant = 0; constant < inputs.size(); ++constant) {
      soil(tape);
      std::vector<Variable<double>> x;
      for (std::size_t k = 0; k < inputs.size(); ++k)
        x.push_back(k == constant ? tape.constant(inputs[k]) : tape.variable(inputs[k]));
      const Variable<double> y = sample.call(x);
      CHECK(same_bits(y.copy(), value));
      if (!y.needs_gradient()) {
        for (std::size_t k = 0; k < inputs.size(); ++k) CHECK((k == constant || all_zero(expected[k])));
        continue;
      }
      tape.backward(y, weights);
      for (std::size_t k = 0; k < inputs.size(); ++k)
        if (k == constant)
          CHECK(all_zero(tape.gradient(x[k])));
        else
          CHECK(distance(tape.gradient(x[k]), expected[k]) <= 1e-15);

      std::vector<Variable<double>> wanted = x;
      wanted.erase(wanted.begin() + static_cast<std::ptrdiff_t>(constant));
      if (wanted.empty()) continue;
      const auto recorded = grad(sum(y * tape.constant(weights)), std::span<const Variable<double>>(wanted));
      for (std::size_t k = 0; k < wanted.size(); ++k)
        CHECK(distance(recorded[k].copy(), expected[k < constant ? k : k + 1]) <= 1e-14);
    }
  });
}

TEST_CASE("every op in float agrees with double", "[ops]") {
  Tape<double> tape;
  Tape<float> tape_float;
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    soil(tape);
    soil(tape_float);
    std::vector<Array<float>> inputs_float;
    for (const Array<double>& input : inputs) inputs_float.push_back(converted<float>(input));
    const RecordedSample<double> recorded(tape, sample.call, inputs);
    const RecordedSample<float> recorded_float(tape_float, sample.call_float, inputs_float);
    CHECK(distance(recorded_float.output.copy(), recorded.output.copy()) <= 5e-6);

    for (const Edge edge : edges_of(sample)) ledger().note(op.info->name, edge, Check::precision);
    const Array<double> weights = random_array(recorded.output.shape(), generator);
    const Array<float> weights_float = converted<float>(weights);
    const auto expected = swept(recorded, weights);
    const auto numbers = swept(recorded_float, weights_float);
    const auto more_tape = differentiated(recorded_float, weights_float);
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      CHECK(distance(numbers[k], expected[k]) <= 1e-4);
      CHECK(distance(more_tape[k], expected[k]) <= 1e-4);
    }
  });
}

TEST_CASE("sweeping an op twice gives the same bits and adds to parameters twice", "[ops]") {
  Tape<double> tape;
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    soil(tape);
    const RecordedSample<double> recorded(tape, sample.call, inputs);
    if (!recorded.differentiable()) return;
    const Array<double> weights = random_array(recorded.output.shape(), generator);
    ledger().note(op.info->name, Edge::twice, Check::sweeps);
    const auto once = swept(recorded, weights), again = swept(recorded, weights);
    for (std::size_t k = 0; k < inputs.size(); ++k) CHECK(same_bits(once[k], again[k]));

    tape.clear();
    std::vector<Parameter<double>> parameters(inputs.begin(), inputs.end());
    std::vector<Variable<double>> x;
    for (Parameter<double>& parameter : parameters) x.push_back(tape.parameter(parameter));
    const Variable<double> y = sample.call(x);
    tape.backward(y, weights);
    for (std::size_t k = 0; k < inputs.size(); ++k) CHECK(distance(parameters[k].grad(), once[k]) <= 1e-15);
    tape.backward(y, weights);
    for (std::size_t k = 0; k < inputs.size(); ++k)
      CHECK(distance(parameters[k].grad(), Array<double>(2 * once[k])) <= 1e-15);
  });
}

TEMPLATE_TEST_CASE("an op recorded again on a cleared tape gives the same bits and allocates nothing", "[ops]", float,
                   double) {
  using T = TestType;
  // What reaches for the heap by itself: split() into given extents and its kin return a std::vector, einsum() reads
  // text, and grad() keeps its books.
  const std::set<std::string> may_allocate_forwards{"split: columns of (3, 7)",
                                                    "max_share: inside max twice of (3, 4)",
                                                    "logsumexp_share: gradient of logsumexp times x of (3, 4)",
                                                    "take_adjoint: gradient of take times x of (3, 4)",
                                                    "gather_adjoint: gradient of gather times x of (3, 4)",
                                                    "unbind: columns of (3, 4, 2)",
                                                    "split_every: rows of (5, 3)",
                                                    "chunk: columns of (3, 7)"};
  std::size_t exceptions = 0;
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator& generator) {
    Tape<T> tape;
    std::vector<Array<T>> values;
    for (const Array<double>& input : inputs) values.push_back(converted<T>(input));
    std::vector<Variable<T>> x(inputs.size());
    Variable<T> y;
    const auto record = [&] {
      tape.clear();
      for (std::size_t k = 0; k < values.size(); ++k) x[k] = tape.variable(values[k]);
      y = call_of<T>(sample)(x);
    };
    record();
    const Array<T> first = y.copy(), weights = random_array<T>(y.shape(), generator);
    const bool differentiable = y.needs_gradient();
    const auto sweep = [&] {
      if (differentiable) tape.backward(y, weights);
    };
    sweep();
    std::vector<Array<T>> gradients;
    for (const Variable<T>& each : x) gradients.push_back(differentiable ? tape.gradient(each) : zeros<T>({}));
    soil(tape);
    record();
    sweep();

    const std::size_t forwards = allocations::during(record), backwards = allocations::during(sweep);
    const bool listed = may_allocate_forwards.contains(describe(op, sample));
    const bool exception = listed || op.info->name == std::string("einsum");
    exceptions += listed;
    CHECK((exception || forwards == 0));
    CHECK(backwards == 0);
    CHECK(same_bits(y.copy(), first));
    for (std::size_t k = 0; differentiable && k < x.size(); ++k) CHECK(same_bits(tape.gradient(x[k]), gradients[k]));
  });
  CHECK(exceptions == may_allocate_forwards.size());
}

TEST_CASE("a vjp reads no more than its OpInfo declares", "[ops]") {
  Tape<double> tape;
  for_each_sample([&](const RegisteredOp&, const Sample& sample, const auto& inputs, Generator& generator) {
    soil(tape);
    const RecordedSample<double> recorded(tape, sample.call, inputs);
    if (!recorded.differentiable()) return;
    const Array<double> weights = random_array(recorded.output.shape(), generator);
    const auto expected = swept(recorded, weights), expected_tape = differentiated(recorded, weights);
    tape.clear();
    const RecordedSample<double> poisoned(tape, sample.call, inputs);

    // NaN everywhere, and then again what is to be read, because slots can share memory.
    std::map<SlotId, std::vector<double>> read;
    const Recording<double>& recording = tape.recording();
    const auto keep = [&](SlotId id) {
      const Slot<double>& slot = recording.slot(id);
      read[id].assign(slot.value, slot.value + slot.size);
    };
    for (std::size_t index = 0; index < recording.step_count(); ++index) {
      const Step<double>& step = recording.step(index);
      const Reads reads = step.op->info->vjp_reads;
      for (std::uint32_t k = 0; k < step.input_count; ++k)
        if (reads == Reads::inputs || reads == Reads::both) keep(recording.input(step, k));
      for (std::uint32_t k = 0; step.input_count > 0 && k < step.output_count; ++k)
        if (reads == Reads::output || reads == Reads::both) keep(step.first_output + k);
    }
    for (SlotId id = 0; id < recording.slot_count(); ++id)
      std::fill_n(recording.slot(id).value, recording.slot(id).size, std::numeric_limits<double>::quiet_NaN());
    for (const auto& [id, values] : read) std::copy(values.begin(), values.end(), recording.slot(id).value);

    const auto numbers = swept(poisoned, weights), more_tape = differentiated(poisoned, weights);
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      CHECK(same_bits(numbers[k], expected[k]));
      CHECK(same_bits(more_tape[k], expected_tape[k]));
    }
  });
}

namespace {

/// Whether a call that threw left nothing on the tape. The masks do not count that samples of masked() and where() make
/// by themselves, before the call.
bool nothing_since(const Tape<double>& tape, std::size_t step) {
  for (; step < tape.size(); ++step)
    if (tape.recording().step(step).op->info->name != std::string("greater_than")) return false;
  return tape.recording().slot_count() == tape.size();
}

}  // namespace

TEST_CASE("a wrong call of an op throws its text and leaves the tape as it was", "[ops]") {
  Generator generator(3);
  Tape<double> tape;
  for (const RegisteredOp& op : registered_ops())
    for (const ErrorSample& sample : op.errors) {
      INFO(op.info->name << ": " << sample.text);
      tape.clear();
      const auto w = tape.variable(random_array({3}, generator));
      const auto before = sum(w * w);
      std::vector<Variable<double>> x;
      for (const Array<double>& input : draw(sample.inputs, {-1, 1}, generator)) x.push_back(tape.variable(input));
      const std::size_t steps = tape.size();
      CHECK(error_text<Error>([&] { sample.call(x); }) == sample.text);
      ledger().note(op.info->name, Edge::wrong_call, Check::text);
      CHECK(nothing_since(tape, steps));
      const auto after = before + sum(exp(w));
      tape.backward(after);
      CHECK(distance(tape.gradient(w), Array<double>(2 * w.value() + xt::exp(w.value()))) <= 1e-15);
    }
}

TEST_CASE("a foreign, stale or empty operand throws and leaves the tape as it was", "[ops]") {
  Tape<double> tape, elsewhere;
  for_each_sample([&](const RegisteredOp& op, const Sample& sample, const auto& inputs, Generator&) {
    ledger().note(op.info->name, Edge::wrong_handle, Check::text);
    for (std::size_t wrong = 0; wrong < inputs.size(); ++wrong) {
      tape.clear();
      elsewhere.clear();
      const Variable<double> stale = tape.variable(inputs[wrong]);
      tape.clear();
      std::vector<Variable<double>> x;
      for (const Array<double>& input : inputs) x.push_back(tape.variable(input));
      const std::size_t steps = tape.size();
      const auto text_with = [&](Variable<double> operand) {
        auto operands = x;
        operands[wrong] = operand;
        return error_text<TapeError>([&] { sample.call(operands); });
      };
      using Catch::Matchers::ContainsSubstring;
      CHECK_THAT(text_with(stale),
                 ContainsSubstring("variable used after its tape was cleared (recorded in generation"));
      CHECK_THAT(text_with({}), ContainsSubstring(": a default-constructed variable refers to nothing; record it on a "
                                                  "tape first"));
      if (inputs.size() > 1)
        CHECK_THAT(text_with(elsewhere.variable(inputs[wrong])),
                   ContainsSubstring(": the operands are on different tapes; record all of them on one tape"));
      CHECK(nothing_since(tape, steps));
      CHECK(nothing_since(elsewhere, 1));
    }
  });
}

TEST_CASE("every op can be printed", "[ops]") {
  Tape<double> tape;
  for_each_sample([&](const RegisteredOp&, const Sample& sample, const auto& inputs, Generator&) {
    tape.clear();
    const RecordedSample<double> recorded(tape, sample.call, inputs);
    const std::string text = tape.print();
    CHECK(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) == tape.size());
    for (std::size_t index = 0; index < tape.size(); ++index)
      CHECK(text.find(std::string(" = ") + tape.recording().step(index).op->info->name) != std::string::npos);
  });
}

namespace {

using Real = long double;

/// What each elementwise op computes, in the standard library's words and in extended precision.
const std::map<std::string, std::function<Real(const std::vector<Real>&)>>& elementwise_references() {
  static const std::map<std::string, std::function<Real(const std::vector<Real>&)>> references{
      {"add", [](const auto& x) { return x[0] + x[1]; }},
      {"sub", [](const auto& x) { return x[0] - x[1]; }},
      {"mul", [](const auto& x) { return x[0] * x[1]; }},
      {"div", [](const auto& x) { return x[0] / x[1]; }},
      {"neg", [](const auto& x) { return -x[0]; }},
      {"pow", [](const auto& x) { return std::pow(x[0], 2.5L); }},
      {"square", [](const auto& x) { return x[0] * x[0]; }},
      {"reciprocal", [](const auto& x) { return 1 / x[0]; }},
      {"divided_by", [](const auto& x) { return x[0] / 3; }},
      {"divided_into", [](const auto& x) { return 3 / x[0]; }},
      {"exp", [](const auto& x) { return std::exp(x[0]); }},
      {"log", [](const auto& x) { return std::log(x[0]); }},
      {"sqrt", [](const auto& x) { return std::sqrt(x[0]); }},
      {"power", [](const auto& x) { return std::pow(x[0], x[1]); }},
      {"rsqrt", [](const auto& x) { return 1 / std::sqrt(x[0]); }},
      {"expm1", [](const auto& x) { return std::expm1(x[0]); }},
      {"log1p", [](const auto& x) { return std::log1p(x[0]); }},
      {"erf", [](const auto& x) { return std::erf(x[0]); }},
      {"erfc", [](const auto& x) { return std::erfc(x[0]); }},
      {"sin", [](const auto& x) { return std::sin(x[0]); }},
      {"cos", [](const auto& x) { return std::cos(x[0]); }},
      {"tan", [](const auto& x) { return std::tan(x[0]); }},
      {"asin", [](const auto& x) { return std::asin(x[0]); }},
      {"acos", [](const auto& x) { return std::acos(x[0]); }},
      {"atan", [](const auto& x) { return std::atan(x[0]); }},
      {"sinh", [](const auto& x) { return std::sinh(x[0]); }},
      {"cosh", [](const auto& x) { return std::cosh(x[0]); }},
      {"atan2", [](const auto& x) { return std::atan2(x[0], x[1]); }},
      {"leaky_relu", [](const auto& x) { return x[0] > 0 ? x[0] : 0.1L * x[0]; }},
      {"elu", [](const auto& x) { return x[0] > 0 ? x[0] : 0.7L * std::expm1(x[0]); }},
      {"hard_tanh", [](const auto& x) { return std::clamp(x[0], -1.0L, 0.5L); }},
      {"clip", [](const auto& x) { return std::clamp(x[0], -0.5L, 1.25L); }},
      {"floor", [](const auto& x) { return std::floor(x[0]); }},
      {"tanh", [](const auto& x) { return std::tanh(x[0]); }},
      {"sigmoid", [](const auto& x) { return 1 / (1 + std::exp(-x[0])); }},
      {"relu", [](const auto& x) { return x[0] > 0 ? x[0] : 0; }},
      {"softplus", [](const auto& x) { return std::log1p(std::exp(x[0])); }},
      {"abs", [](const auto& x) { return x[0] < 0 ? -x[0] : x[0]; }},
      {"greater", [](const auto& x) { return x[0] > x[1] ? 1 : 0; }},
      {"greater_than", [](const auto& x) { return x[0] > 0.25L ? 1 : 0; }},
      {"equal", [](const auto& x) { return x[0] == x[1] ? 1 : 0; }},
      {"equal_to", [](const auto& x) { return x[0] == 0.25L ? 1 : 0; }},
      {"sign", [](const auto& x) { return x[0] > 0   ? 1
                                          : x[0] < 0 ? -1
                                                     : 0; }},
      {"masked", [](const auto& x) { return x[1] > 0 ? x[0] : 0; }},
      {"where", [](const auto& x) { return x[0] > 0 ? x[1] : x[2]; }},
      {"maximum", [](const auto& x) { return x[0] > x[1] ? x[0] : x[1]; }},
      {"minimum", [](const auto& x) { return x[0] < x[1] ? x[0] : x[1]; }}};
  return references;
}

/// How many representable numbers lie between.
template <class T>
double ulps(T value, Real expected) {
  const T near = std::abs(static_cast<T>(expected));
  const Real unit = static_cast<Real>(std::nextafter(near, std::numeric_limits<T>::infinity())) - near;
  return static_cast<double>(std::abs(static_cast<Real>(value) - expected) / unit);
}

}  // namespace

TEMPLATE_TEST_CASE("elementwise ops are within 4 ulp of the standard library in extended precision", "[ops]", float,
                   double) {
  using T = TestType;
  const Shape shape{40, 501};  // not a multiple of any register
  Generator generator(11);
  std::set<std::string> untested;
  for (const auto& [name, reference] : elementwise_references()) untested.insert(name);
  for (const RegisteredOp& op : registered_ops()) {
    const auto found = elementwise_references().find(op.info->name);
    if (found == elementwise_references().end()) continue;
    untested.erase(op.info->name);
    Tape<T> tape;
    const std::vector<Shape> shapes(op.samples[0].inputs.size(), shape);
    std::vector<Variable<T>> x;
    for (Array<double>& input : draw(shapes, op.info->domain, generator)) {
      for (std::size_t k = 0; k < input.size(); k += 7) input.data()[k] = 0.25;  // equal elements, for the comparisons
      x.push_back(tape.variable(converted<T>(input)));
    }
    const Variable<T> y = call_of<T>(op.samples[0])(x);
    double worst = 0;
    for (std::size_t k = 0; k < shape.elements(); ++k) {
      std::vector<Real> at;
      for (const Variable<T>& each : x) at.push_back(each.value().data()[k]);
      worst = std::max(worst, ulps(y.value().data()[k], found->second(at)));
    }
    INFO(op.info->name);
    CHECK(worst <= 4);
    ledger().note(op.info->name, Edge::plain, Check::value);
  }
  CHECK(untested == std::set<std::string>{});
}
