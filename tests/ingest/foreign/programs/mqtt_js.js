// A ThingsBoard device by MQTT.js, MQTT 3.1.1 and 5. Arguments: folder, port, token, epoch milliseconds.
const [folder, port, token, time] = process.argv.slice(2);
const mqtt = require(`${folder}/node_modules/mqtt`);
const send = (version, done) => {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { username: token, protocolVersion: version });
  client.on("connect", () => {
    const body = JSON.stringify({ ts: Number(time) + version, values: { temp: 20 + version, rpm: 1000 } });
    client.publish("v1/devices/me/telemetry", body, { qos: 1 }, (failed) => {
      if (failed) process.exit(1);
      client.subscribe("v1/devices/me/attributes/response/+", { qos: 1 }, () => {
        client.on("message", (topic, answer) => { console.log(topic, answer.toString()); client.end(false, done); });
        client.publish("v1/devices/me/attributes", '{"make":"Acme"}', { qos: 1 });
        client.publish("v1/devices/me/attributes/request/1", '{"clientKeys":"make"}', { qos: 1 });
      });
    });
  });
  client.on("error", (failed) => { console.error(String(failed)); process.exit(1); });
};
send(4, () => send(5, () => process.exit(0)));
setTimeout(() => process.exit(3), 20000);
