// What several formats share: self-tests, metadata, names of layers.
#include <algorithm>
#include <map>
#include <set>

#include "nn/io/formats/formats.hpp"
#include "nn/io/json_scanner.hpp"

namespace nn::io::formats {

void Output::refuse(const std::string& what) const { throw autograd::ValueError(who + ": " + what); }

void write_self_test(JsonWriter& json, const Network& network) {
  if (!network.self_test) return;
  json.key("self_test").object();
  json.key("input").tensor("self_test", network.self_test->input, network.dtype);
  json.key("output").tensor("self_test", network.self_test->output, network.dtype);
  json.key("tolerance").value(network.self_test->tolerance);
  json.close();
}

void write_metadata(JsonWriter& json, const Metadata& metadata) {
  if (metadata.empty()) return;
  json.key("metadata").object();
  for (const auto& [key, note] : metadata) {
    json.key(key);
    note.is_text() ? json.value(note.text()) : json.raw(note.text());
  }
  json.close();
}

namespace {

/// Null is a note that is left open, in any format.
MetadataValue typed(const Output& output, const std::string& key, const MetadataValue& note, NoteType::Type type) {
  if (note.text() == "null") return MetadataValue::json("null");
  const auto refuse = [&](const char* expected) {
    output.refuse("metadata " + key + " is " + shown(note.text()) + ", and must be " + expected);
  };
  if (type == NoteType::text) {
    if (!note.is_text()) refuse("a text");
  } else if (type == NoteType::number) {
    const auto number = note.number();
    if (!number) refuse("a number, -18.5 say");
    return note.is_text() ? MetadataValue(*number) : note;
  } else if (note.is_text()) {  // from a format that keeps texts alone
    MetadataValue object = MetadataValue::json(note.text());
    if (object.is_object() && is_json(note.text())) return object;
    refuse("an object of JSON");
  } else if (!note.is_object()) {
    refuse("an object of JSON");
  }
  return note;
}

}  // namespace

Metadata typed(const Output& output, Metadata metadata, std::span<const NoteType> types) {
  for (const auto& [key, type] : types)
    if (const auto note = metadata.find(std::string(key)); note != metadata.end())
      note->second = typed(output, note->first, note->second, type);
  return metadata;
}

void allow_keys(const JsonNode& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.members())
    if (std::find(known.begin(), known.end(), key) == known.end())
      value.problem("unknown key, which may change the outputs; remove it, or if it is a note, put it in \"metadata\"");
}

void read_extras(const JsonNode& root, Network& network) {
  if (const JsonNode metadata = root.find("metadata"); metadata && !metadata.null())
    for (const auto& [key, value] : metadata.members()) network.metadata[key] = value.note();
  if (const JsonNode test = root.find("self_test"))
    network.self_test = {test.at("input").tensor(), test.at("output").tensor(), test.at("tolerance").number()};
}

std::vector<std::string> distinct_names(const Network& network) {
  std::vector<std::string> result;
  std::set<std::string> taken;
  std::map<std::string, int> counts;  // how often a name has come so far
  for (const Layer& layer : network.layers) {
    std::string base = layer.name.empty() ? name(layer.kind) : layer.name;
    for (char& c : base)
      if (c == '.' || c == '/') c = '_';  // which other programs divide names by
    std::string distinct = base;
    for (int& count = counts[base]; !taken.insert(distinct).second;) distinct = base + '_' + std::to_string(++count);
    result.push_back(std::move(distinct));
  }
  return result;
}

}  // namespace nn::io::formats
