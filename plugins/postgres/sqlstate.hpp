// What the server answered when something went wrong, and what follows from it.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postgres {

// What to do about an error. Classes of the SQL standard and PostgreSQL's appendix A.
enum class Remedy {
  Reconnect,      // the session is gone or useless: open again and resend (idempotent)
  Retry,          // the transaction lost a race or took too long: roll back and resend
  Resources,      // disk, memory, connection slots, I/O: resend after a backoff, somebody must look
  Redo,           // unique_violation: store the same rows by the path that tolerates duplicates
  RejectRow,      // the data of one row: take it out and go on
  Configuration,  // login, database, privileges, missing or foreign objects: stop, keep what is pending
  Bug             // we broke the protocol or the binary format: stop, keep what is pending
};

// `sqlstate` is five characters, or empty: no answer, connection lost, answer not understood.
Remedy remedy_for(std::string_view sqlstate);

// An error of the server or of the connection to it. what() is one line and holds no password.
struct ServerError : std::runtime_error {
  ServerError(std::string state, const std::string& message, std::string where = {}, std::string constraint_name = {})
      : std::runtime_error(message),
        sqlstate(std::move(state)),
        context(std::move(where)),
        constraint(std::move(constraint_name)) {}
  Remedy remedy() const { return remedy_for(sqlstate); }
  // 23514 is both "violates a CHECK" and "no partition for this row"; only the first names a constraint.
  bool no_partition() const { return sqlstate == "23514" && constraint.empty(); }
  // "SQLSTATE 23514: message"
  std::string detail() const;

  std::string sqlstate, context, constraint;
};

// The 1-based row in "COPY <table>, line N" of an error's context, in any language of the server's messages.
std::optional<std::size_t> copy_line(std::string_view context, std::string_view table);

// The SQLSTATE in the text of a failed login, which libpq shows as "FATAL:  28P01: ..." when it is verbose. The last
// one counts: hosts are tried in order. Empty where the last attempt had none (nobody listens).
std::string sqlstate_of_login(std::string_view text);

// Throws hb::Retry, hb::Reopen or hb::Failed as the remedy says; `doing` begins the text. Redo and RejectRow get here
// only from statements that have no rows of their own to blame, and are a Retry.
[[noreturn]] void raise(const ServerError& error, const std::string& doing);

}  // namespace postgres
