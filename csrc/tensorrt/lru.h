// A few values by key, of which the one that was not used for longest makes room for a new one.
#ifndef CLIP_TENSORRT_LRU_H_
#define CLIP_TENSORRT_LRU_H_

#include <list>
#include <optional>
#include <utility>

namespace clip::trt {

// Few enough that a walk along the list is quicker than hashing a key.
template <typename Key, typename Value>
class Lru {
 public:
  explicit Lru(size_t capacity) : capacity_(capacity) {}

  // The value, now the last used one, or nullptr. Valid until the next Put.
  Value* Find(const Key& key) {
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (at->first != key) continue;
      entries_.splice(entries_.begin(), entries_, at);
      return &at->second;
    }
    return nullptr;
  }

  // Adds a key that is not there and returns the key that had to go, if one had.
  std::optional<Key> Put(Key key, Value value) {
    std::optional<Key> gone;
    if (full()) {
      gone = std::move(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(std::move(key), std::move(value));
    return gone;
  }

  size_t size() const { return entries_.size(); }
  bool full() const { return entries_.size() >= capacity_; }

 private:
  size_t capacity_;
  std::list<std::pair<Key, Value>> entries_;  // the last used one first
};

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_LRU_H_
