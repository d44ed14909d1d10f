// Models of Keras and TensorFlow.js: files that those programs made, every option of every layer, and what is written
// for them.
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "heap.hpp"
#include "models.hpp"
#include "networks.hpp"
#include "nn/infer/evaluate.hpp"
#include "nn/io/save_load.hpp"

using namespace networks;
using namespace nn::io;
using autograd::FormatError;
using Catch::Matchers::ContainsSubstring;
using nlohmann::json;
using nn::Nonlinearity;
using nn::infer::evaluate;
using saved::Folder;

namespace {

/// A file, and the numbers beside it if it is TensorFlow.js's.
struct Model {
  std::string name = {};
  json file;
  std::string numbers = {};

  bool tfjs() const { return file.contains("modelTopology"); }
  json& topology() { return tfjs() ? file["modelTopology"] : file; }
};

Model model(const std::string& name) {
  const std::filesystem::path path = std::string(WENGERT_MODEL_FILES) + "/" + name + ".json";
  Model result{name, json::parse(saved::bytes_of(path))};
  if (!result.tfjs()) return result;
  result.numbers = saved::bytes_of(path.parent_path() / (path.stem().string() + ".weights.bin"));
  result.file["weightsManifest"][0]["paths"] = {"./numbers.bin"};
  return result;
}

std::vector<Model> models() {
  std::vector<Model> result;
  for (const char* const program : {"keras", "tfjs"})
    for (const auto& entry : std::filesystem::directory_iterator(std::string(WENGERT_MODEL_FILES) + "/" + program))
      if (entry.path().extension() == ".json")
        result.push_back(model(std::string(program) + "/" + entry.path().stem().string()));
  return result;
}

/// Loading runs the self-test, which the program itself answered.
Network loaded(const Model& m) {
  if (!m.tfjs()) return nn::io::from_bytes(m.file.dump());
  const Folder folder;
  saved::write_bytes(folder.path / "model.json", m.file.dump());
  saved::write_bytes(folder.path / "numbers.bin", m.numbers);
  return load(folder.path / "model.json");
}

std::string refusal(const Model& m) {
  try {
    loaded(m);
  } catch (const FileProblems& file) {
    std::string all;
    for (const Problem& problem : file.problems) all += problem.pointer + ": " + problem.text + "\n";
    return all;
  } catch (const FormatError& error) {
    return error.what();
  }
  return "(read)";
}

/// Every object of a description, but for the second of two directions.
void for_each_object(json& value, const std::function<void(json&)>& f) {
  if (value.is_object()) f(value);
  if (value.is_structured())
    for (auto& [key, inner] : value.items())
      if (key != "backward_layer") for_each_object(inner, f);
}

/// The first layer of a class.
json& layer_of(Model& m, const std::string& type) {
  json* found = nullptr;
  for_each_object(m.topology(), [&](json& object) {
    if (!found && object.value("class_name", "") == type && object.contains("config")) found = &object;
  });
  INFO(m.name << " has no " << type);
  REQUIRE(found);
  return *found;
}

std::vector<std::string> names_of(const Network& network) {
  std::vector<std::string> names;
  for (const Layer& layer : network.layers) names.push_back(layer.name);
  return names;
}

}  // namespace

TEST_CASE("models made by Keras and TensorFlow.js answer as they do there, and keep the names of their layers") {
  const std::vector<Model> all = models();
  REQUIRE(all.size() == 15);
  for (Model m : all) {
    INFO(m.name);
    const Network network = loaded(m);
    REQUIRE(network.self_test);
    const Rows answer = rows_of(evaluate(network, network.self_test->input));
    CHECK(largest_difference(answer, rows_of(network.self_test->output)) < 1e-5);

    std::vector<std::string> names;  // of the layers that have arrays
    for (const json& layer : m.topology()["config"]["layers"]) {
      const std::string type = layer["class_name"];
      if (type == "Dense" || type == "LSTM" || type == "GRU" || type == "SimpleRNN" || type == "TimeDistributed" ||
          type == "Bidirectional")
        names.push_back(layer["config"]["name"]);
    }
    CHECK(names_of(network) == names);

    for (const Format format : {Format::keras, Format::tfjs, Format::native}) {
      const Folder folder;
      try {
        save(network, folder.path / "again.json", {.format = format});
      } catch (const autograd::ValueError&) {  // an activation, or a GRU that TensorFlow.js does not have
        CHECK(format != Format::keras);
        continue;
      }
      const Network again = load(folder.path / "again.json");
      CHECK(names_of(again) == names);
      CHECK(largest_difference(answer, rows_of(evaluate(again, network.self_test->input))) < 1e-5);
    }
  }
}

TEST_CASE("a key that is not known is refused wherever it stands") {
  std::size_t objects = 0;
  for (const Model& original : models()) {
    Model m = original;
    const auto try_in = [&](json& object) {
      object["surprise"] = 1;
      INFO(m.name << " in " << object.dump().substr(0, 200));
      CHECK_THAT(refusal(m), ContainsSubstring("surprise: "));
      object.erase("surprise");
      ++objects;
    };
    std::function<void(json&)> walk = [&](json& value) {
      if (value.is_object()) try_in(value);
      for (auto& [key, inner] : value.items()) {
        // What only training reads, what repeats what is known, and texts for people.
        if (key.ends_with("_initializer") || key == "dtype" || key == "build_config" || key == "compile_config" ||
            key == "self_test" || key == "userDefinedMetadata" || key == "args")
          continue;
        if (inner.is_structured()) walk(inner);
      }
    };
    walk(m.file);
  }
  CHECK(objects > 200);
}

TEST_CASE("every option of every layer is honoured, harmless or refused") {
  struct Case {
    const char *file, *type, *option, *value, *refused;  // "" where nothing changes
  };
  const std::vector<Case> cases{
      {"lstm", "LSTM", "return_sequences", "false", "return_sequences is false: only the last step is returned"},
      {"lstm", "LSTM", "return_sequences", "null", "return_sequences is false"},
      {"lstm", "LSTM", "return_state", "true", "return_state can not be converted"},
      {"lstm", "LSTM", "go_backwards", "true", "go_backwards can not be converted, except within Bidirectional"},
      {"lstm", "LSTM", "stateful", "true", "stateful can not be converted"},
      {"lstm", "LSTM", "time_major", "true", "time_major can not be converted"},
      {"lstm", "LSTM", "num_constants", "2", "num_constants can not be converted"},
      {"lstm", "LSTM", "activation", "\"relu\"", "an activation of relu in LSTM can not be converted"},
      {"lstm", "LSTM", "activation", "null", "an activation of linear in LSTM can not be converted"},
      {"lstm", "LSTM", "activation", "\"hard_tanh\"", "activation \"hard_tanh\" can not be converted"},
      {"lstm", "LSTM", "activation", R"({"class_name": "function", "module": "mine", "config": "tanh"})",
       "activation \"mine.tanh\" can not be converted"},
      {"lstm", "LSTM", "activation",
       R"({"class_name": "function", "module": "builtins", "config": "tanh", "registered_name": "function"})", ""},
      {"lstm", "LSTM", "activation",
       R"({"class_name": "function", "module": "builtins", "config": "tanh", "registered_name": "mine>tanh"})",
       "activation \"tanh registered as mine>tanh\" can not be converted"},
      {"lstm", "LSTM", "activation",
       R"({"class_name": "function", "module": "mine", "config": "tanh", "registered_name": "tanh"})",
       "activation \"mine.tanh\" can not be converted"},
      {"lstm", "LSTM", "activation", R"({"class_name": "tanh", "module": "mine", "config": {}})",
       "activation \"mine.tanh\" can not be converted"},
      {"lstm", "LSTM", "activation", R"({"class_name": "tanh", "module": "keras.activations", "config": {}})", ""},
      {"lstm", "LSTM", "activation", R"({"class_name": "tanh", "config": {"scale": 3}})",
       "activation \"tanh with scale\" can not be converted"},
      {"lstm", "LSTM", "activation", R"({"class_name": "tanh", "config": {}, "surprise": 1})", "unknown key"},
      {"lstm", "LSTM", "recurrent_activation",
       R"({"module": "mine", "class_name": "sigmoid", "config": {"hard": true}})",
       "found \"mine.sigmoid with hard\", expected sigmoid"},
      {"lstm", "LSTM", "recurrent_activation", "\"hard_sigmoid\"", "found \"hard_sigmoid\", expected sigmoid"},
      {"lstm", "LSTM", "recurrent_activation", "\"hardSigmoid\"", "found \"hardSigmoid\", expected sigmoid"},
      {"lstm", "LSTM", "use_bias", "false", "bias"},  // an array that has no place
      {"lstm", "LSTM", "units", "0", "units must be positive"},
      {"lstm", "LSTM", "units", "-1", "expected a whole number"},
      {"lstm", "LSTM", "units", "1e300", "expected a whole number"},
      {"lstm", "LSTM", "units", "4", "expected (2, 16)"},
      {"lstm", "LSTM", "dtype", "\"float16\"", "dtype float16 rounds otherwise"},
      {"lstm", "LSTM", "dtype", R"({"class_name": "Policy", "config": {"name": "mixed_bfloat16"}})",
       "dtype mixed_bfloat16 rounds otherwise"},
      {"lstm", "LSTM", "dtype", R"({"module": "mine", "class_name": "Policy", "config": {"name": "float32"}})",
       "a dtype of mine, which is not Keras's own"},
      {"lstm", "LSTM", "dtype", "\"float64\"", ""},
      {"lstm", "LSTM", "dtype", "null", ""},
      {"lstm", "LSTM", "batch_input_shape", "[null, 2]", "expected (batch, time, features)"},
      {"lstm", "LSTM", "batch_input_shape", "[[1, 9, 2]]", "expected a list of whole numbers"},
      {"lstm", "LSTM", "batch_input_shape", "[4, 100, 2]", ""},
      {"lstm", "LSTM", "dropout", "0.5", ""},
      {"lstm", "LSTM", "recurrent_dropout", "0.5", ""},
      {"lstm", "LSTM", "unroll", "true", ""},
      {"lstm", "LSTM", "implementation", "1", ""},
      {"lstm", "LSTM", "trainable", "false", ""},
      {"lstm", "LSTM", "unit_forget_bias", "false", ""},
      {"lstm", "LSTM", "bias_regularizer", R"({"class_name": "L2", "config": {"l2": 1}})", ""},
      {"lstm", "LSTM", "kernel_constraint", R"({"class_name": "NonNeg", "config": {}})", ""},
      {"lstm", "Dense", "activation", "\"gelu\"", "activation \"gelu\" can not be converted"},
      {"lstm", "Dense", "activation", R"({"class_name": "LeakyReLU", "config": {}})",
       "activation \"LeakyReLU\" can not be converted"},
      {"lstm", "Dense", "activation", R"({"class_name": "elu", "config": {"alpha": 0.3}})",
       "activation \"elu with alpha\" can not be converted"},
      {"lstm", "Dense", "activation", "7", "found a number"},
      {"lstm", "Dense", "lora_rank", "4", "lora_rank can not be converted"},
      {"lstm", "Dense", "quantization_config", "{}", "quantization_config can not be converted"},
      {"lstm", "Dense", "batch_input_shape", "[null, null, 2]", "found 2 features, and the layer before has 3"},
      {"functional", "InputLayer", "sparse", "true", "sparse can not be converted"},
      {"functional", "InputLayer", "ragged", "true", "ragged can not be converted"},
      {"functional", "InputLayer", "optional", "true", "optional can not be converted"},
      {"functional", "InputLayer", "dtype", "\"int32\"", "dtype int32 rounds otherwise"},
      {"functional", "SimpleRNN", "activation", "\"sigmoid\"", "an activation of sigmoid in SimpleRNN"},
      {"functional", "Activation", "activation", "\"mish\"", "activation \"mish\" can not be converted"},
      {"bidirectional", "Bidirectional", "merge_mode", "\"sum\"", "merge_mode must be concat"},
      {"bidirectional", "Bidirectional", "merge_mode", "null", "merge_mode must be concat"},
      {"bidirectional", "LSTM", "return_sequences", "false", "return_sequences is false"},
      {"bidirectional", "LSTM", "stateful", "true", "stateful can not be converted"},
      {"bidirectional", "LSTM", "go_backwards", "true", "go_backwards must be false in this direction"},
      {"bidirectional", "GRU", "recurrent_activation", "\"hard_sigmoid\"", "expected sigmoid"},
      {"activations", "Softmax", "axis", "1", "axis of this value can not be converted"},
      {"activations", "Softmax", "axis", "2", ""},
      {"activations", "ReLU", "max_value", "6", "max_value of this value"},
      {"activations", "ReLU", "negative_slope", "0.1", "negative_slope of this value"},
      {"activations", "ReLU", "threshold", "1", "threshold of this value"},
      {"activations", "ELU", "alpha", "0.5", "alpha of this value"},
      {"activations", "GaussianNoise", "stddev", "3", ""},
  };
  for (const char* const program : {"keras/", "tfjs/"})
    for (const Case& c : cases) {
      INFO(program << c.file << " " << c.type << " " << c.option << " " << c.value);
      Model m = model(std::string(program) + c.file);
      json& layer = layer_of(m, c.type);
      layer["config"][c.option] = json::parse(c.value);
      if (*c.refused)
        CHECK_THAT(refusal(m), ContainsSubstring(c.refused));
      else
        CHECK(named_tensors(loaded(m)) == named_tensors(loaded(model(std::string(program) + c.file))));
    }

  const std::vector<Case> keys{
      {"lstm", "LSTM", "class_name", "\"ConvLSTM1D\"", "found \"ConvLSTM1D\"; LSTM, GRU, SimpleRNN, Bidirectional"},
      {"lstm", "LSTM", "class_name", "\"RNN\"", "found \"RNN\""},
      {"lstm", "LSTM", "class_name", "\"CuDNNLSTM\"", "found \"CuDNNLSTM\""},
      {"lstm", "LSTM", "module", "\"mine\"", "a layer of mine, which is not Keras's own"},
      {"lstm", "LSTM", "module", "\"keras_contrib.layers\"", "a layer of keras_contrib.layers"},
      {"lstm", "LSTM", "registered_name", "\"mine>LSTM\"", "a layer registered as mine>LSTM can not be converted"},
      {"lstm", "LSTM", "build_config", R"({"input_shape": [null, null, 7]})", "7 features"},
      {"lstm", "Sequential", "registered_name", "\"mine>Model\"", "a model registered as mine>Model"},
      {"lstm", "Sequential", "module", "\"mine.models\"", "a model of mine.models, which is not Keras's own"},
      {"lstm", "Sequential", "module", "7", "found a number, expected a text"},
      {"lstm", "Sequential", "class_name", "\"Mine\"", "expected Sequential, Functional or Model"},
  };
  for (const char* const program : {"keras/", "tfjs/"})
    for (const Case& c : keys) {
      INFO(program << c.file << " " << c.type << " " << c.option << " " << c.value);
      Model m = model(std::string(program) + c.file);
      layer_of(m, c.type)[c.option] = json::parse(c.value);
      CHECK_THAT(refusal(m), ContainsSubstring(c.refused));
    }
}

TEST_CASE("what an option that is left out means, the program decides") {
  Model keras = model("keras/lstm"), tfjs = model("tfjs/lstm");
  const Network before = loaded(keras);
  for (Model* const m : {&keras, &tfjs}) layer_of(*m, "LSTM")["config"].erase("recurrent_activation");
  CHECK(named_tensors(loaded(keras)) == named_tensors(before));
  CHECK_THAT(refusal(tfjs), ContainsSubstring("recurrent_activation is missing, for which TensorFlow.js takes "
                                              "hardSigmoid"));
  keras.file["keras_version"] = "2.2.4";
  CHECK_THAT(refusal(keras), ContainsSubstring("this version of Keras may take hard_sigmoid"));

  Model after = model("keras/gru"), reset_before = model("tfjs/time_distributed");
  for (Model* const m : {&after, &reset_before}) layer_of(*m, "GRU")["config"].erase("reset_after");
  CHECK(loaded(after).layers[0].reset_after);
  CHECK_FALSE(loaded(reset_before).layers[0].reset_after);

  // Null is false in Python, and nothing in TensorFlow.js.
  layer_of(after, "GRU")["config"]["reset_after"] = nullptr;
  CHECK_THAT(refusal(after), ContainsSubstring("found shape (2, 9), expected (9)"));  // the biases
  for (const char* const name : {"keras/lstm", "tfjs/lstm"}) {
    Model m = model(name);
    layer_of(m, "LSTM")["config"]["use_bias"] = nullptr;
    CHECK((refusal(m) == "(read)") == m.tfjs());
  }
  Model axis = model("keras/activations");
  layer_of(axis, "Softmax")["config"]["axis"] = nullptr;
  CHECK_THAT(refusal(axis), ContainsSubstring("axis of this value can not be converted"));

  for (const char* const name : {"keras/lstm", "tfjs/lstm"}) {
    Model m = model(name);
    layer_of(m, "LSTM")["config"].erase("return_sequences");
    CHECK_THAT(refusal(m), ContainsSubstring("return_sequences is false"));
  }
}

TEST_CASE("one activation follows a Dense layer, and a second is refused") {
  for (const char* const name : {"keras/lstm", "tfjs/lstm"}) {
    Model m = model(name);
    layer_of(m, "Dense")["config"]["activation"] = "relu";
    json activation = {{"class_name", "Activation"}, {"config", {{"name", "after"}, {"activation", "tanh"}}}};
    json& layers = m.topology()["config"]["layers"];
    const std::string dense = layer_of(m, "Dense")["config"]["name"];
    layers.push_back(activation);
    CHECK_THAT(refusal(m), ContainsSubstring("after: tanh after the relu of " + dense +
                                             ": a layer can keep one activation; put a Dense layer between"));
    layers.erase(layers.size() - 2);
    CHECK_THAT(refusal(m), ContainsSubstring("after: tanh can be converted after a Dense layer alone"));
    layers.back()["config"]["activation"] = "linear";
    CHECK(refusal(m).find("after: ") == std::string::npos);
  }
}

TEST_CASE("only models whose layers are in a row are read") {
  const auto changed = [](const char* name, const char* pointer, const json& value) {
    Model m = model(name);
    m.topology()["config"].at(json::json_pointer(pointer)) = value;
    return refusal(m);
  };
  for (const char* const name : {"keras/functional", "keras/functional_3_3"}) {
    const char* const source = "/layers/3/inbound_nodes/0/args/0/config/keras_history";
    const json first = model(name).file["config"]["layers"][0]["name"];
    CHECK_THAT(changed(name, source, {first, 0, 0}), ContainsSubstring("only layers in a row can be converted"));
    CHECK_THAT(changed(name, source, {"nowhere", 0, 0}), ContainsSubstring("no row of layers leads from the input"));
    CHECK_THAT(changed(name, (std::string(source) + "/1").c_str(), 1), ContainsSubstring("used more than once"));
    CHECK_THAT(changed(name, "/layers/1/inbound_nodes/0/kwargs", {{"training", true}}),
               ContainsSubstring("a call with training can not be converted"));
    CHECK_THAT(changed(name, "/layers/1/inbound_nodes/0/kwargs", {{"mask", {1}}}),
               ContainsSubstring("a call with mask can not be converted"));
    const json last = model(name).file["config"]["layers"][2]["name"];
    CHECK_THAT(changed(name, "/output_layers", {{last, 0, 0}}), ContainsSubstring("is not in the row of layers"));
  }
  const char* const name = "tfjs/functional";
  const json input = model(name).topology()["config"]["layers"][0]["name"];
  CHECK_THAT(changed(name, "/layers/2/inbound_nodes/0/0", {input, 0, 0, json::object()}),
             ContainsSubstring("only layers in a row can be converted"));
  CHECK_THAT(changed(name, "/input_layers", {{input, 0, 0}, {input, 0, 0}}), ContainsSubstring("one input"));
  CHECK_THAT(changed(name, "/layers/2/inbound_nodes/0/0/3", {{"training", true}}), ContainsSubstring("a call with"));
  // In whatever order they are listed.
  Model m = model(name);
  json& layers = m.topology()["config"]["layers"];
  std::swap(layers[1], layers[3]);
  CHECK(named_tensors(loaded(m)) == named_tensors(loaded(model(name))));
}

TEST_CASE("files of tensorflowjs_converter, and of several shards") {
  for (const char* const name : {"tfjs/lstm", "tfjs/bidirectional", "tfjs/time_distributed"}) {
    INFO(name);
    const Network expected = loaded(model(name));
    Model m = model(name);
    json topology = m.topology();
    topology.erase("keras_version");
    topology.erase("backend");
    m.topology() = {{"keras_version", "2.15.0"}, {"backend", "tensorflow"}, {"model_config", topology}};
    json& weights = m.file["weightsManifest"][0]["weights"];
    for (json& weight : weights) {
      std::string path = weight["name"];
      const std::size_t at = path.rfind('/');
      if (path.find("lstm") != std::string::npos) weight["name"] = path.insert(at, "/lstm_cell_3");
      if (path.find("gru") != std::string::npos) weight["name"] = path.insert(at, "/gru_cell");
    }
    CHECK(named_tensors(loaded(m)) == named_tensors(expected));

    Model bad = m;
    bad.file["weightsManifest"][0]["weights"][0]["quantization"] = {{"dtype", "uint8"}, {"min", 0}, {"scale", 1}};
    CHECK_THAT(refusal(bad), ContainsSubstring("quantized numbers can not be converted"));
    bad = m;
    bad.file["weightsManifest"][0]["weights"][1]["name"] = bad.file["weightsManifest"][0]["weights"][0]["name"];
    CHECK_THAT(refusal(bad), ContainsSubstring("the array is there already"));
    bad = m;
    bad.file["weightsManifest"][0]["weights"][0]["name"] = "other/kernel";
    CHECK_THAT(refusal(bad), ContainsSubstring("other/kernel belongs to no layer"));
    bad = m;
    bad.file["format"] = "graph-model";
    CHECK_THAT(refusal(bad), ContainsSubstring("found \"graph-model\", expected layers-model"));
  }
}

TEST_CASE("a manifest is believed in nothing") {
  const auto changed = [](const char* key, const json& value) {
    Model m = model("tfjs/lstm");
    m.file["weightsManifest"][0][key] = value;
    return refusal(m);
  };
  CHECK_THAT(changed("paths", {"numbers.bin", "./numbers.bin"}), ContainsSubstring("numbers.bin is named twice"));
  for (const char* const path : {"", ".", "..", "./", "../numbers.bin", "/numbers.bin", "a\\b", "./../numbers.bin"})
    CHECK_THAT(changed("paths", {path}), ContainsSubstring("expected the name of a file in the same folder"));
  const auto shaped = [](const char* shape) {
    Model m = model("tfjs/lstm");
    m.file["weightsManifest"][0]["weights"][0]["shape"] = json::parse(shape);
    return refusal(m);
  };
  for (const char* const shape :
       {"[-1,-1]", "[2,-1]", "[4294967296,4294967296]", "[1e300]", "[1e30,1e30]", "[1000000000,1000000000,1000000000]",
        "[1000000000,1000000000,1000000000,1000000000,1000000000,1000000000,1000000000,1000000000,0]", "[2.5,12]",
        "[[2,12]]", "[12,2]", "[2,13]", "\"x\"", "[1,1,1,1,1,1,1,2,12]"}) {
    INFO(shape);
    CHECK(refusal(model("tfjs/lstm")) == "(read)");
    CHECK(shaped(shape) != "(read)");
  }
}

TEST_CASE("a hostile file costs little") {
  const auto cost = [](const Model& m) {
    const std::size_t peak = heap::peak_during([&] { CHECK(refusal(m) != "(read)"); });
    return static_cast<double>(peak) / static_cast<double>(m.file.dump().size() + m.numbers.size() + (1 << 16));
  };
  // One path again and again.
  Model paths = model("tfjs/lstm");
  paths.numbers = std::string(1 << 20, '\0');
  for (int k = 0; k < 100; ++k) paths.file["weightsManifest"][0]["paths"].push_back("./numbers.bin");
  CHECK(cost(paths) < 8);  // this file's own copies are counted, too

  // As many paths, which all lead to that file.
  const Folder folder;
  saved::write_bytes(folder.path / "numbers.bin", paths.numbers);
  json& links = paths.file["weightsManifest"][0]["paths"];
  for (int k = 0; k < 100; ++k) {
    links[k] = std::to_string(k);
    std::filesystem::create_symlink("numbers.bin", folder.path / std::to_string(k));
  }
  links.erase(100);
  saved::write_bytes(folder.path / "model.json", paths.file.dump());
  const std::size_t peak = heap::peak_during([&] {
    CHECK_THROWS_WITH(load(folder.path / "model.json"),
                      ContainsSubstring("0 has 1048576 bytes, and of the arrays there are "));
  });
  CHECK(peak < 2 << 20);

  // Layers of one name, which all read one array.
  Model names = model("tfjs/lstm");
  json& layers = names.topology()["config"]["layers"];
  layers[0]["config"] = {{"name", "a"}, {"units", 300}, {"batch_input_shape", {nullptr, nullptr, 300}}};
  layers[0]["class_name"] = "Dense";
  layers.erase(1);
  for (int k = 0; k < 20; ++k) {
    layers.push_back(json(layers[0]));
    layers.back()["config"].erase("batch_input_shape");
  }
  names.file["weightsManifest"][0]["weights"] = {{{"name", "a/kernel"}, {"shape", {300, 300}}, {"dtype", "float32"}},
                                                 {{"name", "a/bias"}, {"shape", {300}}, {"dtype", "float32"}}};
  names.numbers = std::string(4 * 300 * 301, '\0');
  CHECK(cost(names) < 8);
  CHECK_THAT(refusal(names), ContainsSubstring("a: the name occurs twice"));
}

TEST_CASE("a name that programs would take for another address is not given to the numbers") {
  const Folder folder;
  for (const char* const name : {"we\\ird.json", "100%.json", "a?b.json", "a#b.json"}) {
    INFO(name);
    CHECK_THROWS_WITH(save(random_network(1, {{linear, 1}}), folder.path / name, {.format = Format::tfjs}),
                      ContainsSubstring("as that of its numbers, and programs would look for another"));
    CHECK(folder.files().empty());
  }
  save(random_network(1, {{linear, 1}}), folder.path / "\xC3\xA4 b+c.json", {.format = Format::tfjs});
  CHECK(load(folder.path / "\xC3\xA4 b+c.json").layers.size() == 1);
}

TEST_CASE("what is written for Keras 3") {
  const Network network =
      random_network(2, {{lstm, 4, true, 2}, {gru, 3, false}, {linear, 1, true, 1, Nonlinearity::relu}});
  const json file = json::parse(nn::io::to_bytes(network, {.format = Format::keras}));
  CHECK(file["module"] == "keras");
  CHECK(file["class_name"] == "Sequential");
  CHECK(file["registered_name"].is_null());
  const json& layers = file["config"]["layers"];
  REQUIRE(layers.size() == 4);
  for (const json& layer : layers) {
    CHECK(layer["module"] == "keras.layers");
    CHECK(layer["registered_name"].is_null());
    CHECK(layer["config"]["dtype"] == "float32");
  }
  CHECK(layers[0]["class_name"] == "InputLayer");
  CHECK(layers[0]["config"]["batch_shape"] == json::parse("[null, null, 2]"));
  CHECK(layers[1]["class_name"] == "Bidirectional");
  CHECK(layers[1]["config"]["merge_mode"] == "concat");
  CHECK(layers[1]["config"]["layer"]["class_name"] == "LSTM");
  CHECK(layers[1]["config"]["layer"]["config"]["return_sequences"] == true);
  CHECK(layers[2]["config"]["reset_after"] == false);

  // The order of get_weights(), and each direction run by a reader of its own, the second from the last step.
  const auto text = nlohmann::ordered_json::parse(nn::io::to_bytes(network, {.format = Format::keras}));
  const auto arrays = [&](const char* name) {
    json list = json::array();
    for (const auto& [key, array] : text["weights"][name].items()) list.push_back(json::parse(array.dump()));
    return list;
  };
  const json both = arrays("lstm");
  REQUIRE(both.size() == 6);
  Random random(3);
  const Rows input = rows_of(random.tensor({7, 2}));
  Rows reversed(input.rbegin(), input.rend());
  Rows forward = networks::run({KerasLayer("lstm", {both[0], both[1], both[2]})}, input);
  const Rows backward = networks::run({KerasLayer("lstm", {both[3], both[4], both[5]})}, reversed);
  for (std::size_t t = 0; t < forward.size(); ++t)
    forward[t].insert(forward[t].end(), backward[6 - t].begin(), backward[6 - t].end());
  std::vector<KerasLayer> rest;
  rest.emplace_back("gru", arrays("gru"), false);
  rest.emplace_back("dense", arrays("linear"), true, "relu");
  Tensor question = zero_tensor({7, 2});
  for (std::size_t k = 0; k < 14; ++k) question.values[k] = input[k / 2][k % 2];
  CHECK(largest_difference(networks::run(rest, forward), rows_of(evaluate(network, question))) < 1e-6);

  // Names that Keras 3 does not take, or has already.
  Network named = random_network(2, {{linear, 2}, {linear, 2}, {linear, 1}});
  named.layers[0].name = "input";
  named.layers[1].name = "a/b.c";
  named.layers[2].name = "a_b_c";
  const json again = json::parse(nn::io::to_bytes(named, {.format = Format::keras}))["config"]["layers"];
  std::vector<std::string> names;
  for (const json& layer : again) names.push_back(layer["config"]["name"]);
  CHECK(names == std::vector<std::string>{"input_", "input", "a_b_c", "a_b_c_1"});
}
