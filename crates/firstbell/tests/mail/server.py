"""A mail server for the tests, of Debian's python3-aiosmtpd: STARTTLS or TLS, authentication, and letters into a folder.

server.py FOLDER CERTIFICATE KEY MODE, with the user and the password on standard input. It says its port on standard output.
Modes: starttls, implicit, plain, slow (accepts a letter after a second), hang (never answers RCPT), bare (no STARTTLS).
Recipients whose name begins with "nobody" are refused, those with "later" put off.
"""
import asyncio
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, certificate, key, mode = sys.argv[1:]
user, password = (sys.stdin.readline().rstrip("\n").encode() for _ in range(2))
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)


class Into:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == "hang":
            await asyncio.Event().wait()
        if address.startswith("nobody"):
            return f"550 5.1.1 {address}: no such user, {password.decode()}"
        if address.startswith("later"):
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if mode == "slow":
            await asyncio.sleep(1)  # what is tried: a server that takes its time
        Into.count += 1
        protected = server.transport.get_extra_info("ssl_object") is not None
        head = f"protected {protected}\nauthenticated {session.authenticated}\nto {' '.join(envelope.rcpt_tos)}\n\n"
        with open(f"{folder}/{Into.count}", "wb") as letter:
            letter.write(head.encode() + envelope.content)
        return "250 kept"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (user, password)
    # The server itself says 535 where this is false.
    return AuthResult(success=good, handled=False)


def conversation():
    encrypted = mode == "implicit"
    open_ = mode in ("plain", "bare")
    return SMTP(
        Into(),
        hostname="mail.test",
        tls_context=None if encrypted or open_ else tls,
        require_starttls=not (encrypted or open_),
        auth_required=mode != "bare",
        auth_require_tls=not (encrypted or open_),
        authenticator=authenticate,
    )


async def main():
    server = await asyncio.get_running_loop().create_server(
        conversation, "127.0.0.1", 0, ssl=tls if mode == "implicit" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test, whose end closes our input.
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
