// Reads the arrays of a file: TensorProto, in every form that it may have.
#include "nn/io/formats/onnx/fields.hpp"
#include "nn/io/formats/onnx/folding.hpp"
#include "nn/io/formats/onnx/protobuf.hpp"

namespace nn::io::formats::onnx {

Constant Folding::read(std::string_view bytes) {
  Shape shape;
  std::int64_t number = 0;
  std::string_view raw;
  std::vector<double> reals;
  Extents wholes;
  const auto push_whole = [&](std::uint64_t bits) {
    spend({1}, sizeof(Extent));
    wholes.push_back({static_cast<std::int64_t>(bits)});
  };
  const auto push_real = [&](double value) {
    spend({1}, sizeof(double));
    reals.push_back(value);
  };
  int holder = 0;
  Field field;
  for (Fields fields(bytes); fields.next(field);) {
    const bool holds = field.number == tensor::raw_data || field.number == tensor::float_data ||
                       field.number == tensor::double_data || field.number == tensor::int32_data ||
                       field.number == tensor::int64_data;
    if (holds && holder != 0 && holder != field.number) throw Refusal("its numbers are in two places");
    if (holds) holder = field.number;
    switch (field.number) {
      case tensor::dims:
        for_each_number(field, Wire::varint, [&](std::uint64_t bits) {
          const auto extent = static_cast<std::int64_t>(bits);
          if (extent < 0) throw Refusal("its extent " + std::to_string(extent) + " is negative");
          require_rank(shape.rank() + 1);
          shape.push_back(static_cast<std::size_t>(extent));
        });
        break;
      case tensor::data_type:
        number = field.integer();
        break;
      case tensor::raw_data:
        raw = field.text();
        break;
      case tensor::float_data:
        for_each_number(field, Wire::four_bytes,
                        [&](std::uint64_t bits) { push_real(static_cast<double>(float_of(bits))); });
        break;
      case tensor::double_data:
        for_each_number(field, Wire::eight_bytes, [&](std::uint64_t bits) { push_real(double_of(bits)); });
        break;
      case tensor::int32_data:
      case tensor::int64_data:
        for_each_number(field, Wire::varint, push_whole);
        break;
      case tensor::external_data:
      case tensor::data_location:
        if (field.number == tensor::data_location && field.integer() == 0) break;
        throw Refusal("its numbers are in another file; save the model with all of its data in one file");
      case tensor::name:
      case tensor::doc_string:
      case tensor::metadata_props:
        break;
      default:
        throw Refusal("it has field " + std::to_string(field.number) + ", which is not known here");
    }
  }
  const auto type = static_cast<Type>(number);
  const std::size_t width = type_width(number);
  if (width == 0)
    throw Refusal("it is of " + type_name(number) + "; float, double, int32, int64 and boolean can be converted");
  const int own = type == Type::float32   ? int{tensor::float_data}
                  : type == Type::float64 ? int{tensor::double_data}
                  : type == Type::int64   ? int{tensor::int64_data}
                                          : int{tensor::int32_data};
  const std::size_t size = size_of(shape);
  const bool is_raw = holder == tensor::raw_data;
  if (!is_raw && holder != 0 && holder != own) throw Refusal("its numbers are not of its type, " + type_name(number));
  const std::size_t found = is_raw ? raw.size() / width : reals.size() + wholes.size();
  if (found != size || (is_raw && raw.size() % width != 0))
    throw Refusal("it has shape " + to_string(shape) + " and " +
                  (is_raw ? std::to_string(raw.size()) + " bytes" : std::to_string(found) + " numbers") +
                  ", expected " + std::to_string(is_raw ? size * width : size));
  if (is_raw) {
    spend(shape, is_real(type) ? sizeof(double) : sizeof(Extent));
    if (type == Type::boolean)
      for (const char byte : raw) wholes.push_back({byte != 0});
    else
      for (Fields numbers(raw); !numbers.done();) {
        const std::uint64_t bits = numbers.number(width == 4 ? Wire::four_bytes : Wire::eight_bytes);
        if (type == Type::float32) reals.push_back(static_cast<double>(float_of(bits)));
        if (type == Type::float64) reals.push_back(double_of(bits));
        if (type == Type::int32) wholes.push_back({static_cast<std::int32_t>(static_cast<std::uint32_t>(bits))});
        if (type == Type::int64) wholes.push_back({static_cast<std::int64_t>(bits)});
      }
  }
  Constant result{type, extents_of(shape), shape};
  result.elements = std::make_shared<const Constant::Elements>(is_real(type) ? Constant::Elements(std::move(reals))
                                                                             : Constant::Elements(std::move(wholes)));
  return result;
}

}  // namespace nn::io::formats::onnx
