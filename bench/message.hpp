// SPDX-License-Identifier: MIT
/// What the many producers send: messages of a fixed size, the same for every queue. The producer writes
/// every word, the consumer adds them all up.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace bench {

template <std::size_t Words>
struct message {
  std::array<std::uint64_t, Words> words;
};

/// The message with this number: number, number + 1, ...
template <class Message>
[[nodiscard, gnu::always_inline]] inline auto numbered(std::uint64_t number) -> Message {
  Message result;
  for (auto& word : result.words) word = number++;
  return result;
}

template <class Message>
[[nodiscard, gnu::always_inline]] inline auto sum_of(const Message& from) -> std::uint64_t {
  std::uint64_t sum = 0;
  for (const auto word : from.words) sum += word;
  return sum;
}
/// The same of a message where it lies in a byte ring.
[[nodiscard, gnu::always_inline]] inline auto sum_of(std::span<const std::byte> from)
    -> std::uint64_t {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < from.size(); at += sizeof sum) {
    std::uint64_t word;
    std::memcpy(&word, from.data() + at, sizeof word);
    sum += word;
  }
  return sum;
}

/// Messages that are handed over in one call.
inline constexpr std::size_t batch_size = 16;

template <class Message>
class batch {
 public:
  /// The messages from `next` on, at most up to `end`.
  [[nodiscard, gnu::always_inline]] inline auto filled(std::uint64_t next, std::uint64_t end)
      -> std::span<const Message> {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(batch_size, end - next));
    for (std::size_t i = 0; i < count; ++i) messages_[i] = numbered<Message>(next + i);
    return std::span{messages_}.first(count);
  }
  /// Room for messages that are read.
  [[nodiscard]] auto data() -> Message* { return messages_.data(); }

 private:
  std::array<Message, batch_size> messages_{};
};

}  // namespace bench
