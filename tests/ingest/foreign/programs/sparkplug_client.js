// An edge node with one device, by sparkplug-client. Arguments: folder, port, user, secret, epoch milliseconds.
const [folder, port, user, secret, time] = process.argv.slice(2);
const t = Number(time);
const sparkplug = require(`${folder}/node_modules/sparkplug-client`);
const client = sparkplug.newClient({
  serverUrl: `tcp://127.0.0.1:${port}`, username: user, password: secret, groupId: "Plant 1", edgeNode: "Line 4",
  clientId: "any", version: "spBv1.0",
});
let births = 0;
const birth = () => {
  births += 1;
  client.publishNodeBirth({ timestamp: t, metrics: [{ name: "rpm", value: 1500, type: "Int32", timestamp: t }] });
  client.publishDeviceBirth("Pump", {
    timestamp: t,
    metrics: [
      { name: "Motor/Temp", value: 20.5, type: "Double", timestamp: t, alias: 7 },
      { name: "rpm", value: 900, type: "UInt64", timestamp: t, alias: 8 },
      { name: "table", type: "DataSet", value: { numOfColumns: 1, types: ["Int32"], columns: ["a"], rows: [[1]] } },
    ],
  });
};
client.on("birth", () => {
  birth();
  setTimeout(() => {
    const temp = { alias: 7, value: 21.5, type: "Double", timestamp: t + 1 };
    const rpm = { name: "rpm", value: 800, type: "UInt64", timestamp: t + 1 };
    client.publishDeviceData("Pump", { timestamp: t + 1, metrics: [temp] });
    client.publishDeviceData("Pump", { timestamp: t + 1, metrics: [rpm] }, { compress: true });
    client.publishDeviceData("Pump", { timestamp: t + 2, metrics: [{ alias: 99, value: 1, type: "Double" }] });
  }, 300);
});
client.on("ncmd", (payload) => {
  if (births > 1 || !payload.metrics.some((m) => m.name === "Node Control/Rebirth" && m.value === true)) return;
  birth();
  setTimeout(() => { console.log("reborn"); client.stop(); setTimeout(() => process.exit(0), 300); }, 300);
});
setTimeout(() => process.exit(3), 20000);
